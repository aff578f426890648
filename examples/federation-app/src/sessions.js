// The sessions of browsers, in memory.

import { randomBytes } from 'node:crypto'

const COOKIE = 'federation_app'
// Unauthenticated browsers can begin logins, so the number of sessions is limited.
const MOST = 10_000

export class Sessions {
  #sessions = new Map()

  /** Returns the session of the browser that sent a request. */
  get(request) {
    return this.#sessions.get(idOf(request)) ?? {}
  }

  /** Replaces the session of a browser, under a new id. */
  set(request, response, session) {
    this.#sessions.delete(idOf(request))
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, session)
    if (this.#sessions.size > MOST) this.#sessions.delete(this.#sessions.keys().next().value)
    // Lax, since the browser returns from the identity provider by a link. Forms of other sites send no cookie.
    response.setHeader('set-cookie', `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`)
  }

  /** Deletes the session of a browser. */
  delete(request, response) {
    this.#sessions.delete(idOf(request))
    response.setHeader('set-cookie', `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
  }
}

function idOf(request) {
  const cookies = (request.headers.cookie ?? '').split('; ')
  return cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
}
