"""The example of a client in docs, against a real site."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest
from django.conf import settings

from port444.demo import cast
from tests.realsite import Site

pytestmark = pytest.mark.timeout(300)
MAKE = """
from port444.accounts.actions import create_token
from port444.accounts.models import User
user = User.objects.get(email={email!r})
print(create_token(user.pk, actor=user, name="Example", scopes=["read", "orders"], days=1)[1])
"""


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("port444_client", Path(settings.BASE_DIR) / "docs/examples/client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def test_the_example_lists_and_orders_once(site: Site) -> None:
    client = example()
    token = site.run(MAKE.format(email=cast.CLIENT)).strip().splitlines()[-1]
    api = client.Port444(site.url, token)
    mine = "SELECT count(*) FROM orders_order o JOIN accounts_user u ON u.id = o.client_id WHERE u.email = %s"
    before = site.value(mine, cast.CLIENT)
    orders = list(api.orders())
    assert len({order.id for order in orders}) == before
    package = site.value(
        "SELECT p.id FROM catalog_package p JOIN catalog_service s ON s.id = p.service_id JOIN builders_builder b ON b.id = s.builder_id"
        " JOIN accounts_user u ON u.id = b.user_id WHERE s.status = 'published' AND p.is_offered AND u.email = %s LIMIT 1",
        cast.BUILDER,
    )
    key = str(uuid4())
    first, again = (api.place_order(str(package), key=key) for _ in range(2))
    assert first == again
    assert site.value(mine, cast.CLIENT) == before + 1
    with pytest.raises(client.Refused) as refused:
        api.place_order(str(uuid4()))
    assert (refused.value.status, refused.value.code) == (404, "not_found")
