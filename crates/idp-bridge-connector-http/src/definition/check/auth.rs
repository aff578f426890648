//! The rules of credentials: their settings, and that each secret is sent to one origin.

use std::collections::BTreeMap;

use super::{Checker, key, path};
use crate::definition::{Auth, SettingKind};

impl Checker<'_> {
    pub(super) fn check_auth(&mut self) {
        let auth: Vec<_> = self.definition.auth.iter().map(|(name, auth)| (path(&["auth", name]), auth)).collect();
        for (place, auth) in auth {
            self.check_origin(&place, auth.origin());
            match auth {
                Auth::Bearer { token: secret, also_in, .. } => {
                    self.check_setting(&key(&place, "token"), secret, &[SettingKind::Secret]);
                    if let Some(name) = also_in {
                        self.check_header(&key(&place, "also_in"), name);
                    }
                }
                Auth::Header { name, prefix, key: secret, .. } => {
                    self.check_setting(&key(&place, "key"), secret, &[SettingKind::Secret]);
                    self.check_sent_header(&key(&place, "name"), name);
                    self.check_header_value(&key(&place, "prefix"), prefix);
                }
                Auth::Basic { user, password, .. } => {
                    self.check_setting(&key(&place, "user"), user, &[SettingKind::Text, SettingKind::Name]);
                    self.check_setting(&key(&place, "password"), password, &[SettingKind::Secret]);
                }
                Auth::ClientCredentials { token_origin, token_path, client_id, client_secret, form, .. } => {
                    self.check_token_origin(&place, token_origin.as_deref());
                    self.check_setting(&key(&place, "client_id"), client_id, &[SettingKind::Text, SettingKind::Name]);
                    self.check_setting(&key(&place, "client_secret"), client_secret, &[SettingKind::Secret]);
                    self.check_templates(&key(&place, "token_path"), token_path);
                    self.check_templates(&key(&place, "form"), form.values());
                }
                Auth::JwtBearer { token_origin, token_path, private_key, key_id, claims, .. } => {
                    self.check_token_origin(&place, token_origin.as_deref());
                    self.check_setting(&key(&place, "private_key"), private_key, &[SettingKind::Secret]);
                    if let Some(key_id) = key_id {
                        self.check_setting(&key(&place, "key_id"), key_id, &[SettingKind::Text, SettingKind::Name]);
                    }
                    self.check_templates(&key(&place, "token_path"), token_path);
                    self.check_templates(&key(&place, "claims"), claims.values());
                }
                Auth::Login { path: segments, json, token, lifetime, .. } => {
                    self.check_templates(&key(&place, "path"), segments);
                    for setting in json.values() {
                        self.check_setting(&key(&place, "json"), setting, &ANY_TEXT);
                    }
                    if !token.starts_with('/') {
                        self.report(&key(&place, "token"), "a JSON pointer begins with `/`");
                    }
                    if *lifetime == 0 {
                        self.report(&key(&place, "lifetime"), "the number of seconds is 0");
                    }
                }
            }
        }
    }

    fn check_token_origin(&mut self, place: &[String], named: Option<&str>) {
        if let Some(name) = named {
            self.check_setting(&key(place, "token_origin"), name, &[SettingKind::Origin]);
        }
    }

    /// Checks that each secret is sent to one origin.
    pub(super) fn check_secrets(&mut self) {
        let definition = self.definition;
        let mut uses = Vec::new();
        for (name, auth) in &definition.auth {
            for (own, secret) in auth.secrets() {
                uses.push((path(&["auth", name, own]), auth.secret_origin(), secret));
            }
        }
        if let Some(federation) = &definition.federation {
            let secret = federation.client_secret.as_deref();
            let place = path(&["federation", "client_secret"]);
            uses.extend(secret.map(|secret| (place, federation.origin.as_deref(), secret)));
        }
        let is_secret = |name: &str| definition.settings.get(name).is_some_and(|own| own.kind == SettingKind::Secret);
        let mut first: BTreeMap<&str, (Option<String>, String)> = BTreeMap::new();
        for (place, origin, secret) in uses.into_iter().filter(|(.., secret)| is_secret(secret)) {
            let origin = self.origin(origin).map(str::to_owned);
            let (bound, by) = first.entry(secret).or_insert_with(|| (origin.clone(), place.join(".")));
            if *bound != origin {
                let bound = bound.as_deref().unwrap_or_default();
                let message = format!(
                    "the secret `{secret}` belongs to the origin `{bound}`, where `{by}` sends it: declare another secret \
                     for this origin"
                );
                self.report(&place, message);
            }
        }
    }
}

/// The kinds of settings that a login may send.
const ANY_TEXT: [SettingKind; 3] = [SettingKind::Text, SettingKind::Name, SettingKind::Secret];
