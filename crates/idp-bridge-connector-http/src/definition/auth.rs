//! The credentials of a definition: `[auth]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::template::Template;

/// A credential. It is sent to its origin only.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Auth {
    /// `authorization: Bearer …`.
    Bearer {
        /// The setting of the origin. Not needed if there is one.
        origin: Option<String>,
        /// The setting of the secret.
        token: String,
        /// A further header that has the token, such as `apikey`.
        also_in: Option<String>,
    },
    /// A header with an API key.
    Header {
        /// The setting of the origin. Not needed if there is one.
        origin: Option<String>,
        /// The header.
        name: String,
        /// The text before the key, such as `SSWS `.
        #[serde(default)]
        prefix: String,
        /// The setting of the secret.
        key: String,
    },
    /// `authorization: Basic …`.
    Basic {
        /// The setting of the origin. Not needed if there is one.
        origin: Option<String>,
        /// The setting of the user name.
        user: String,
        /// The setting of the password.
        password: String,
    },
    /// An access token from a client credentials grant (RFC 6749, section 4.4).
    ClientCredentials {
        /// The setting of the origin. Not needed if there is one.
        origin: Option<String>,
        /// The setting of the origin of the token endpoint, if it is another one.
        token_origin: Option<String>,
        /// The path of the token endpoint.
        token_path: Vec<Template>,
        /// The setting of the client id.
        client_id: String,
        /// The setting of the client secret.
        client_secret: String,
        /// The place of the secret in a request.
        #[serde(default)]
        secret_in: SecretIn,
        /// Further fields of the form, such as `scope`.
        #[serde(default)]
        form: BTreeMap<String, Template>,
    },
    /// An access token for an assertion that the bridge signs (RFC 7523, section 2.1), such as that of a service account.
    JwtBearer {
        /// The setting of the origin. Not needed if there is one.
        origin: Option<String>,
        /// The setting of the origin of the token endpoint, if it is another one.
        token_origin: Option<String>,
        /// The path of the token endpoint.
        token_path: Vec<Template>,
        /// The setting of the private key, a secret in PEM: RSA or P-256.
        private_key: String,
        /// The setting of the key's id.
        key_id: Option<String>,
        /// The claims beside `iat` and `exp`, such as `iss` and `scope`. Without `aud` the assertion is for the token endpoint.
        claims: BTreeMap<String, Template>,
    },
    /// A token from a login request.
    Login {
        /// The setting of the origin. Not needed if there is one.
        origin: Option<String>,
        /// The path of the request, a `POST`.
        path: Vec<Template>,
        /// The settings in the JSON body, by member.
        json: BTreeMap<String, String>,
        /// The place of the token in the answer, a JSON pointer.
        token: String,
        /// The lifetime of the token, in seconds.
        lifetime: u64,
    },
}

impl Auth {
    /// Returns the setting of the origin that the credential is sent to, if the definition names it.
    pub(crate) fn origin(&self) -> Option<&str> {
        match self {
            Self::Bearer { origin, .. }
            | Self::Header { origin, .. }
            | Self::Basic { origin, .. }
            | Self::ClientCredentials { origin, .. }
            | Self::JwtBearer { origin, .. }
            | Self::Login { origin, .. } => origin.as_deref(),
        }
    }

    /// Returns the setting of the origin that the secrets are sent to, or the assertions that they sign.
    pub(crate) fn secret_origin(&self) -> Option<&str> {
        match self {
            Self::ClientCredentials { token_origin, .. } | Self::JwtBearer { token_origin, .. } => {
                token_origin.as_deref().or(self.origin())
            }
            _ => self.origin(),
        }
    }

    /// Returns the settings that may be secrets, with the keys that name them.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Bearer { token, .. } => vec![("token", token)],
            Self::Header { key, .. } => vec![("key", key)],
            Self::Basic { password, .. } => vec![("password", password)],
            Self::ClientCredentials { client_secret, .. } => vec![("client_secret", client_secret)],
            Self::JwtBearer { private_key, .. } => vec![("private_key", private_key)],
            Self::Login { json, .. } => json.values().map(|setting| ("json", setting.as_str())).collect(),
        }
    }
}

/// The place of a client secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretIn {
    /// In the `authorization` header: `client_secret_basic`.
    #[default]
    Header,
    /// In the form: `client_secret_post`.
    Form,
}
