// Pays from the wallet in the browser (EIP-6963, EIP-1193). What the wallet answers is sent to the server, which believes none of it:
// it recovers the signer itself and reads transfers from the chain. Everything here may be interrupted at any point.
const root = document.getElementById('wallet');
const facts = root.dataset, typed = JSON.parse(facts.typed), units = BigInt(facts.units);
const part = name => root.querySelector(`[data-${name}]`);
const show = at => root.querySelectorAll('[data-at]').forEach(node => { node.hidden = node.dataset.at !== at; });
const say = text => { part('say').hidden = !text; part('say').querySelector('p').textContent = text; };
const short = address => `${address.slice(0, 6)}…${address.slice(-4)}`;
const money = new Intl.NumberFormat(document.documentElement.lang, { style: 'currency', currency: 'USD' });
const same = (a, b) => a.toLowerCase() === b.toLowerCase();
const KEPT = 'wallet-' + facts.payment, LAST = 'wallet-last';

let wallet = null, account = '', busy = false, leaving = false;

// What wallets answer, in words of the page. 4001 is "the person said no".
const WORDS = {
  4001: facts.refused,
  4100: facts.locked,
  4200: facts.unable,
  4900: facts.offline,
  4901: facts.elsewhere,
  [-32002]: facts.askingAlready,
};
const words = error => {
  const code = error?.code ?? error?.data?.originalError?.code;
  if (WORDS[code]) return WORDS[code];
  if (error?.refused) return error.message;
  const said = String(error?.message ?? '').replace(/\s+/g, ' ').slice(0, 160);
  return said ? `${facts.saidNo} ${said}` : facts.silent;
};
const ask = (method, params) => wallet.provider.request(params ? { method, params } : { method });

const post = async (id, fields) => {
  const form = document.getElementById(id), body = new FormData(form);
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  const refuse = message => { throw Object.assign(new Error(message), { refused: true }); };
  let answer, said;
  try {
    answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
  } catch { refuse(facts.noAnswer); }
  try { said = await answer.json(); } catch { refuse(facts.signedOut); }
  if (!answer.ok) refuse(said.error?.message ?? facts.failed);
  return said.url;
};
const go = (url, message = '') => {
  leaving = true;
  if (message) sessionStorage.setItem(KEPT, message);
  if (url && new URL(url, location.href).pathname !== location.pathname) location.assign(url);
  else location.reload();
};

// 1. Which wallets are there: each announces itself when asked; an old one is only window.ethereum.
const wallets = new Map();
const list = () => {
  part('list').replaceChildren(...[...wallets.values()].map(one => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'btn';
    button.textContent = one.info.name;
    button.addEventListener('click', () => choose(one));
    return button;
  }));
};
addEventListener('eip6963:announceProvider', event => {
  const { info, provider } = event.detail ?? {};
  if (!info?.uuid || typeof provider?.request !== 'function' || wallets.has(info.uuid)) return;
  wallets.set(info.uuid, { info, provider });
  if (!wallet && !busy) { list(); if (!part('at="none"').hidden) show('pick'); }
});

// 2. Connect. Without `loud` only what the person allowed before is used, and no window opens.
const choose = async (one, loud = true) => {
  if (busy) return;
  wallet = one;
  say('');
  if (!one.heard) {
    one.heard = true;
    one.provider.on?.('accountsChanged', () => { if (wallet === one && !busy) look(); });
    one.provider.on?.('chainChanged', () => { if (wallet === one && !busy) look(); });
    one.provider.on?.('disconnect', () => { if (wallet === one && !busy) look(); });
  }
  if (loud && !(await doing(() => ask('eth_requestAccounts')))) return;
  sessionStorage.setItem(LAST, one.info.rdns ?? '');
  await look(loud);
};

// Runs one question to the wallet with nothing else going on; says what went wrong.
const doing = async act => {
  if (busy) return null;
  busy = true;
  say('');
  show('asking');
  try { return await act(); }
  catch (error) { say(words(error)); return null; }
  finally { busy = leaving; if (!leaving) await look(); }
};

// 3. Where the wallet stands now: its account, its network, what it holds.
const look = async (loud = false) => {
  let accounts = [], chain = '';
  try { [accounts, chain] = await Promise.all([ask('eth_accounts'), ask('eth_chainId')]); }
  catch (error) { if (loud) say(words(error)); }
  account = accounts?.[0] ?? '';
  if (!account) { wallet = null; list(); return show(wallets.size ? 'pick' : 'none'); }
  if (BigInt(chain || 0) !== BigInt(facts.chain)) return show('network');
  if (facts.address && !same(account, facts.address)) return show('account');
  part('short').textContent = short(account);
  part('short').title = account;
  part('whole').textContent = account;
  show('ready');
  let held = null;
  try {
    held = BigInt(await ask('eth_call', [{ to: facts.token, data: '0x70a08231' + account.slice(2).toLowerCase().padStart(64, '0') }, 'latest']));
  } catch { /* the server and the chain will tell */ }
  const cents = held === null ? null : held / 10000n;
  part('balance').textContent = cents === null ? facts.unknown : `${money.format(Number(cents) / 100)} USDC`;
  part('poor').hidden = held === null || held >= units;
  root.querySelectorAll('[data-do="sign"], [data-do="send"]').forEach(node => { node.disabled = held !== null && held < units; });
};

const switchChain = async () => {
  try { await ask('wallet_switchEthereumChain', [{ chainId: facts.chain }]); }
  catch (error) {
    if ((error?.code ?? error?.data?.originalError?.code) !== 4902 || !facts.rpc) throw error;
    const more = facts.explorer.startsWith('https://') ? { blockExplorerUrls: [new URL(facts.explorer).origin] } : {};
    const gas = { name: 'Ether', symbol: 'ETH', decimals: 18 };
    await ask('wallet_addEthereumChain', [{ chainId: facts.chain, chainName: facts.name, rpcUrls: [facts.rpc], nativeCurrency: gas, ...more }]);
  }
};

// The wallet may have moved on since the page looked.
const still = async () => {
  const [accounts, chain] = await Promise.all([ask('eth_accounts'), ask('eth_chainId')]);
  if (!accounts?.[0] || !same(accounts[0], account) || BigInt(chain) !== BigInt(facts.chain)) {
    throw Object.assign(new Error(facts.moved), { refused: true });
  }
};

// 4a. A signature: nothing moves until the server has checked it.
const sign = async () => {
  await still();
  const data = { ...typed, message: { ...typed.message, from: account } };
  const signature = await ask('eth_signTypedData_v4', [account, JSON.stringify(data)]);
  show('storing');
  go(await post('sign-form', { address: account, signature }));
  return true;
};

// 4b. A transfer: the server is told of the wallet first, so that the money is found when this page is gone.
const send = async () => {
  await still();
  const url = await post('send-form', { address: account });
  let hash;
  try { hash = await ask('eth_sendTransaction', [{ from: account, to: facts.token, data: facts.calldata, value: '0x0' }]); }
  catch (error) { go(url, words(error)); return true; }
  show('storing');
  try { go(await post('sent-form', { tx_hash: hash })); }
  catch { go(url); }  // it is found without its hash
  return true;
};

root.addEventListener('click', event => {
  const act = { switch: switchChain, sign, send }[event.target.closest?.('[data-do]')?.dataset.do];
  if (act && wallet) doing(act);
});
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });

say(sessionStorage.getItem(KEPT) ?? '');
sessionStorage.removeItem(KEPT);
dispatchEvent(new Event('eip6963:requestProvider'));
setTimeout(async () => {
  if (!wallets.size && typeof window.ethereum?.request === 'function') {
    wallets.set('window', { info: { uuid: 'window', name: facts.thisBrowser, rdns: 'window' }, provider: window.ethereum });
  }
  const before = part('say').querySelector('p').textContent;
  list();
  show(wallets.size ? 'pick' : 'none');
  const last = sessionStorage.getItem(LAST), known = [...wallets.values()].find(one => last && one.info.rdns === last);
  if (known ?? (wallets.size === 1)) await choose(known ?? [...wallets.values()][0], false);
  say(before);
}, 250);
