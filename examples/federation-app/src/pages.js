// The HTML pages.

/** @param {string} [notice] a message about the last action */
export function welcome(notice) {
  return page(html`
    ${notice && html`<p class="notice" id="notice">${notice}</p>`}
    <h1>Welcome</h1>
    <p>Log in to see which customer you belong to.</p>
    <form method="post" action="/login"><button id="log-in">Log in</button></form>
  `)
}

/** @param {object} user the user from the bridge's userinfo */
export function customer(user) {
  return page(html`
    <h1>You are logged in</h1>
    <dl>
      ${row('customer', user.customer ?? 'none')}
      ${row('email', user.email ?? 'unknown')}
      ${row('email verified', { true: 'yes', false: 'no' }[user.email_verified] ?? 'unknown')}
      ${row('tenant', user.tenant)}
      ${row('sub', user.sub)}
    </dl>
    <p class="small">From the bridge's <code>userinfo</code>, asked with your access token.</p>
    ${logOutButton}
  `)
}

/** @param {import('./problem.js').Problem} problem */
export function problem(problem, isLoggedIn) {
  return page(html`
    <h1 class="problem" id="problem">${problem.message}</h1>
    ${problem.detail && html`<p id="detail"><code>${problem.detail}</code></p>`}
    ${problem.hint && html`<p id="hint">${problem.hint}</p>`}
    <p><a href="/">Back to the start</a></p>
    ${isLoggedIn && logOutButton}
  `)
}

function row(name, value) {
  return html`<div><dt>${name}</dt><dd id="${name.replace(' ', '-')}">${value}</dd></div>`
}

function page(content) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Federation example</title>
        <link rel="stylesheet" href="/style.css" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <header>Federation example</header>
        <main>${content}</main>
      </body>
    </html>`.text
}

/** HTML text. Other values are escaped. */
class Html {
  constructor(text) {
    this.text = text
  }
}

function html(strings, ...values) {
  return new Html(String.raw({ raw: strings }, ...values.map(escape)))
}

function escape(value) {
  if (value instanceof Html) return value.text
  if (value === undefined || value === false) return ''
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const logOutButton = html`<form method="post" action="/logout"><button id="log-out">Log out</button></form>`

export const style = `
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1c2733; background: #f2f4f7 }
header { padding: 12px 24px; color: #fff; background: #24476b; font-weight: 600 }
main { max-width: 520px; margin: 32px auto; padding: 24px 32px; background: #fff; border-radius: 8px }
h1 { margin-top: 0; font-size: 24px }
.problem { color: #a3261b }
.notice { margin-top: 0; padding: 8px 12px; background: #e3f1e5; border-radius: 4px }
dl div { display: flex; padding: 6px 0; border-bottom: 1px solid #e3e7ec }
dt { width: 130px; color: #5b6875 }
dd { margin: 0; overflow-wrap: anywhere }
#customer { font-weight: 600 }
.small { font-size: 13px; color: #5b6875 }
button { padding: 8px 20px; font: inherit; color: #fff; background: #24476b; border: 0; border-radius: 4px; cursor: pointer }
`
