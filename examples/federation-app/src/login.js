// Logging in at the identity provider: authorization code with PKCE, which `openid-client` speaks and checks.

import * as oidc from 'openid-client'

import { Problem, reason, TokenRefused } from './problem.js'

const SCOPE = 'openid profile email'

export class Login {
  #configuration

  constructor(settings, bridge) {
    this.settings = settings
    this.bridge = bridge
    this.redirectUri = `${settings.url}/callback`
  }

  /** Where the browser goes to log in, and what must be known when it comes back. */
  async begin() {
    const { client, scope } = await this.#discover()
    const pending = {
      codeVerifier: oidc.randomPKCECodeVerifier(),
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
    }
    const url = oidc.buildAuthorizationUrl(client, {
      redirect_uri: this.redirectUri,
      scope,
      code_challenge: await oidc.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
      state: pending.state,
      nonce: pending.nonce,
    })
    return { url, pending }
  }

  /** The tokens for the code that the browser came back with; all checks are the library's. */
  async finish(currentUrl, pending) {
    const { client } = await this.#discover()
    try {
      return await oidc.authorizationCodeGrant(client, currentUrl, {
        pkceCodeVerifier: pending.codeVerifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      })
    } catch (error) {
      throw failed(error)
    }
  }

  /** Fresh tokens, as long as the login lasts. */
  async refresh(tokens) {
    if (!tokens.refresh_token) throw new TokenRefused('there is no refresh token')
    const { client } = await this.#discover()
    try {
      return { ...tokens, ...(await oidc.refreshTokenGrant(client, tokens.refresh_token)) }
    } catch (error) {
      if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') {
        throw new TokenRefused(error.error_description)
      }
      throw failed(error)
    }
  }

  /** What the identity provider says of itself, asked once. */
  async #discover() {
    this.#configuration ??= this.#ask().catch((error) => {
      this.#configuration = undefined
      throw error
    })
    return this.#configuration
  }

  async #ask() {
    const { settings } = this
    const published = settings.issuer ? {} : await this.bridge.metadata()
    const issuer = settings.issuer ?? published.issuer
    if (!issuer) {
      throw new Problem(500, 'It is not known where to log in', {
        hint: 'Let the bridge publish it (`metadata = true`), or start this application with `--issuer`.',
      })
    }
    const scope = settings.scope ?? published.scopes?.join(' ') ?? SCOPE
    const authentication = settings.clientSecret ? oidc.ClientSecretBasic(settings.clientSecret) : oidc.None()
    const options = { execute: isLoopback(issuer) ? [oidc.allowInsecureRequests] : [] }
    try {
      const client = await oidc.discovery(new URL(issuer), settings.clientId, {}, authentication, options)
      return { client, scope }
    } catch (error) {
      throw new Problem(502, 'The identity provider does not answer', {
        detail: `${issuer}: ${reason(error)}`,
        hint: 'Try again in a moment.',
        cause: error,
      })
    }
  }
}

/** Plain HTTP is for an identity provider on this machine alone. */
function isLoopback(issuer) {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(issuer).hostname)
}

function failed(error) {
  if (error instanceof oidc.AuthorizationResponseError) {
    const detail = [error.error, error.error_description].filter(Boolean).join(': ')
    return new Problem(403, 'The identity provider did not log you in', { detail, cause: error })
  }
  if (error instanceof oidc.ResponseBodyError) {
    const detail = [error.error, error.error_description].filter(Boolean).join(': ')
    const hint = 'Is the client secret right, and is this address among the client\'s redirect URIs?'
    return new Problem(502, 'The identity provider refuses this application', { detail, hint, cause: error })
  }
  return new Problem(502, 'The login could not be finished', { detail: reason(error), hint: 'Log in again.', cause: error })
}
