// A client for the bridge's four routes for applications.

import { Problem, reason, TokenRefused } from './problem.js'

// Longer than the bridge's own deadline, so that its answer arrives first.
const TIMEOUT_MS = 15_000

export class Bridge {
  /** @param {string} tenant the URL of a tenant at the bridge, without a final slash */
  constructor(tenant) {
    this.tenant = tenant
  }

  /** Returns the login settings, or an empty object if the bridge does not publish them. */
  async metadata() {
    const response = await this.#send('/federation', {})
    if (response.ok) return readJson(response)
    const detail = await describe(response)
    if (response.status === 404) return {}
    throw new Problem(502, 'The bridge did not return the login settings', { detail, hint: 'Try again in a moment.' })
  }

  /** Returns the user of a token, with their customer. */
  async userinfo(accessToken) {
    const response = await this.#send('/userinfo', { headers: bearer(accessToken) })
    if (response.ok) return readJson(response)
    if (response.status === 401) throw new TokenRefused(await describe(response))
    throw new Problem(502, 'The bridge did not return your user', {
      detail: await describe(response),
      hint: response.status >= 500 ? 'Try again in a moment: you are still logged in.' : undefined,
    })
  }

  /** Ends the login of these tokens. Only a 204 means that it has ended. */
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
      hint: 'Your login may still be active: press "Log out" again in a moment.',
    })
  }

  /** Returns the URL that ends the browser's session at the identity provider. */
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
      return await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS), ...request })
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

/** Formats the bridge's problem as one line, with its code and the request id for the log. */
async function describe(response) {
  try {
    const { title, code, request_id: id } = await response.json()
    return `${response.status} ${code}: ${title} (request ${id})`
  } catch {
    return `status ${response.status} without an explanation; check the URL of the bridge`
  }
}
