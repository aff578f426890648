// The routes of the application.

import { randomState } from 'openid-client'

import { Bridge } from './bridge.js'
import { Login } from './login.js'
import * as pages from './pages.js'
import { Problem, TokenRefused } from './problem.js'
import { Sessions } from './sessions.js'

/** @returns a listener for the requests of an HTTP server */
export function createApp(settings) {
  const bridge = new Bridge(settings.bridge)
  const login = new Login(settings, bridge)
  const sessions = new Sessions()

  const routes = {
    'GET /': start,
    'POST /login': logIn,
    'GET /callback': callback,
    'POST /logout': logOut,
    'GET /logged-out': loggedOut,
    'GET /style.css': async () => ({ type: 'text/css', body: pages.style }),
  }

  /** Shows the customer of the logged-in user, or the login button. */
  async function start(request, response) {
    const session = sessions.get(request)
    if (!session.tokens) return { body: pages.welcome() }
    try {
      return { body: pages.customer(await withTokens(session, (tokens) => bridge.userinfo(tokens.access_token))) }
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error
      sessions.delete(request, response)
      return { body: pages.welcome('Your login has ended.') }
    }
  }

  async function logIn(request, response) {
    const { url, pending } = await login.begin()
    sessions.set(request, response, { pending })
    return redirect(url)
  }

  async function callback(request, response) {
    const { pending } = sessions.get(request)
    if (!pending) {
      const hint = 'Log in again, and let the browser keep this page\'s cookie.'
      throw new Problem(400, 'This login was not begun in this browser', { hint })
    }
    sessions.delete(request, response)
    const tokens = await login.finish(new URL(request.url, settings.url), pending)
    sessions.set(request, response, { tokens })
    return redirect('/')
  }

  /** Ends the login at the bridge, then redirects the browser to the identity provider's logout page. */
  async function logOut(request, response) {
    const session = sessions.get(request)
    if (!session.tokens) return redirect('/')
    try {
      await withTokens(session, (tokens) => bridge.logOut(tokens))
    } catch (error) {
      // A token that can neither be used nor refreshed has ended already. The browser is redirected nevertheless.
      if (!(error instanceof TokenRefused)) throw error
    }
    const state = randomState()
    const [clientId, returnTo] = [settings.clientId, `${settings.url}/logged-out`]
    sessions.set(request, response, { loggedOut: state })
    return redirect(bridge.logOutPage({ clientId, returnTo, idToken: session.tokens.id_token, state }))
  }

  async function loggedOut(request, response) {
    const session = sessions.get(request)
    // Some identity providers do not return the state. A wrong state belongs to another browser.
    const state = new URL(request.url, settings.url).searchParams.get('state') ?? session.loggedOut
    // Other sites can link to this page, so the notice is shown only to the browser that has just logged out.
    if (!session.loggedOut || session.loggedOut !== state) return redirect('/')
    sessions.delete(request, response)
    return { body: pages.welcome('You are logged out.') }
  }

  /** Calls a function with the access token, and again with a refreshed one if the token is rejected. */
  async function withTokens(session, use) {
    try {
      return await use(session.tokens)
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error
    }
    session.tokens = await login.refresh(session.tokens)
    return use(session.tokens)
  }

  return async (request, response) => {
    try {
      const { pathname } = new URL(request.url, settings.url)
      const route = routes[`${request.method} ${pathname}`]
      if (!route) throw new Problem(404, 'There is no such page')
      send(response, await route(request, response))
    } catch (error) {
      if (!(error instanceof Problem)) console.error(error)
      const problem = error instanceof Problem ? error : new Problem(500, 'Something went wrong in this application')
      const isLoggedIn = sessions.get(request).tokens !== undefined
      send(response, { status: problem.status, body: pages.problem(problem, isLoggedIn) })
    }
  }
}

function redirect(location) {
  return { status: 303, location: location.toString() }
}

function send(response, { status = 200, type = 'text/html', body = '', location }) {
  if (location) response.setHeader('location', location)
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}
