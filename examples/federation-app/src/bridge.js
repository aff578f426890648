// The bridge's four routes for applications.

import { Problem, reason, TokenRefused } from './problem.js'

// Longer than the bridge's own deadline, so that its answer is heard.
const PATIENCE = 15_000

export class Bridge {
  /** @param {string} tenant the URL of a tenant at the bridge, without a final slash */
  constructor(tenant) {
    this.tenant = tenant
  }

  /** What an application needs to know to log users in; nothing if the bridge does not publish it. */
  async metadata() {
    const response = await this.#send('/federation', {})
    if (response.ok) return readJson(response)
    const detail = await describe(response)
    if (response.status === 404) return {}
    throw new Problem(502, 'The bridge could not say where to log in', { detail, hint: 'Try again in a moment.' })
  }

  /** Whose token it is, with their customer. */
  async userinfo(accessToken) {
    const response = await this.#send('/userinfo', { headers: bearer(accessToken) })
    if (response.ok) return readJson(response)
    if (response.status === 401) throw new TokenRefused(await describe(response))
    throw new Problem(502, 'The bridge could not say who you are', {
      detail: await describe(response),
      hint: response.status >= 500 ? 'Try again in a moment: you are still logged in.' : undefined,
    })
  }

  /** Ends the login that these tokens belong to; only a 204 promises that it has ended. */
  async logOut(tokens) {
    const form = new URLSearchParams()
    if (tokens.refresh_token) form.set('refresh_token', tokens.refresh_token)
    if (tokens.id_token) form.set('id_token_hint', tokens.id_token)
    const request = { method: 'POST', headers: bearer(tokens.access_token), body: form }
    const response = await this.#send('/logout', request)
    if (response.status === 204) return
    if (response.status === 401) throw new TokenRefused(await describe(response))
    throw new Problem(502, 'You are not logged out', {
      detail: await describe(response),
      hint: 'Nothing is promised until the bridge says so: press "Log out" again in a moment.',
    })
  }

  /** Where the browser goes next, so that the identity provider forgets the login, too. */
  logOutPage({ clientId, returnTo, idToken, state }) {
    const page = new URL(`${this.tenant}/logout`)
    page.searchParams.set('client_id', clientId)
    page.searchParams.set('post_logout_redirect_uri', returnTo)
    if (idToken) page.searchParams.set('id_token_hint', idToken)
    page.searchParams.set('state', state)
    return page
  }

  async #send(path, request) {
    const url = this.tenant + path
    try {
      return await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE), ...request })
    } catch (error) {
      throw new Problem(502, 'The bridge does not answer', {
        detail: `${new URL(url).origin}: ${reason(error)}`,
        hint: 'Is it running there? Until it answers, nothing is known of you and nothing is logged out.',
        cause: error,
      })
    }
  }
}

function bearer(accessToken) {
  return { authorization: `Bearer ${accessToken}` }
}

async function readJson(response) {
  try {
    return await response.json()
  } catch (error) {
    throw new Problem(502, 'The bridge gave an answer that cannot be read', { detail: reason(error), cause: error })
  }
}

/** The bridge's problem in a line: its code is for programs, its request id finds it in the log. */
async function describe(response) {
  try {
    const { title, code, request_id: id } = await response.json()
    return `${response.status} ${code}: ${title} (request ${id})`
  } catch {
    return `status ${response.status} without an explanation; is the address of the bridge right?`
  }
}
