#!/bin/sh
# Bring a release into service: deploy/upgrade.sh /srv/port444/releases/2026-11-23
#
# As root, in the folder of the release. Nobody is turned away meanwhile (docs/operate.md, Upgrades). With several machines run it with
# `first` on the first, which migrates, and with `next` on each of the others:
#   deploy/upgrade.sh FOLDER first | next | (nothing: the only machine)
set -eu

release=$(readlink -f "$1")
part=${2:-only}
base=/srv/port444
before=$(readlink -f "$base/current" || true)
cd "$release"

as_port444() { setpriv --reuid=port444 --regid=port444 --init-groups "$@"; }
manage() { as_port444 .venv/bin/python manage.py "$@"; }

python3 -m venv .venv
.venv/bin/pip install --quiet --require-hashes -r requirements/tools.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/base.txt

set -a
. /etc/port444/port444.env
. /etc/port444/queue.env
set +a
.venv/bin/python manage.py collectstatic --noinput --verbosity 0
chown -R root:port444 . && chmod -R g+rX,o-rwx .
manage check --deploy --fail-level ERROR

if [ "$part" != next ]; then
    # Only what the running code can live with (expand); waits for no lock for longer than three seconds, and tries again.
    (. /etc/port444/owner.env; export DATABASE_URL="$DATABASE_OWNER_URL"; manage migrate --noinput)
    manage audit_roles --check
fi

ln -sfn "$release" "$base/current.new"
mv -T "$base/current.new" "$base/current"
systemctl restart port444-web.service port444-queue.service
systemctl try-restart port444-chain.service

ready() { "$release/.venv/bin/python" -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8000/readyz", timeout=5)' 2>/dev/null; }
for _ in $(seq 30); do
    if ready; then
        # Jobs that are new are scheduled when every queue knows them: on the last machine.
        [ "$part" = first ] || manage sync_schedules
        echo "$release serves"
        exit 0
    fi
    sleep 2
done

echo "$release does not become ready; $before serves again" >&2
if [ -n "$before" ]; then
    ln -sfn "$before" "$base/current.new"
    mv -T "$base/current.new" "$base/current"
    systemctl restart port444-web.service port444-queue.service
    systemctl try-restart port444-chain.service
fi
exit 1
