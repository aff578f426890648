//! The requests that set up a pool.

use aws_sdk_cognitoidentityprovider::types::{
    AttributeDataType, ExplicitAuthFlowsType, PreventUserExistenceErrorTypes, SchemaAttributeType, UserPoolClientType,
};
use idp_bridge_core::{CallScope, Error, ErrorKind, Result};

use super::{PAGE, UserPool, incomplete};
use crate::error::Operation;

/// The maximum number of pages of app clients.
const MAX_PAGES: usize = 20;
/// The only attribute that users may read and write through the bridge's app client, with which they never sign in. A client
/// without such lists may write every standard attribute.
const ATTRIBUTE: &str = "email";

impl UserPool {
    /// Returns the ids of the app clients with this name.
    pub(crate) async fn app_clients_named(&self, scope: &CallScope, name: &str) -> Result<Vec<String>> {
        let (mut ids, mut token) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let request = self.sdk.list_user_pool_clients().user_pool_id(&self.id).max_results(PAGE);
            let answer = self.send(scope, Operation::ListUserPoolClients, request.set_next_token(token).send()).await?;
            let clients = answer.user_pool_clients.ok_or_else(|| incomplete("app clients"))?;
            let named = clients.into_iter().filter(|client| client.client_name.as_deref() == Some(name));
            ids.extend(named.filter_map(|client| client.client_id));
            token = answer.next_token;
            if token.is_none() {
                return Ok(ids);
            }
        }
        Err(Error::upstream(ErrorKind::InvalidResponse, "the pages of app clients do not end"))
    }

    /// Creates an app client with a secret, which can request mails and cannot sign users in.
    pub(crate) async fn create_app_client(&self, scope: &CallScope, name: &str) -> Result<UserPoolClientType> {
        let request = self.sdk.create_user_pool_client().user_pool_id(&self.id).client_name(name);
        let request = request.generate_secret(true).read_attributes(ATTRIBUTE).write_attributes(ATTRIBUTE);
        let request = request.explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth);
        let request = request.prevent_user_existence_errors(PreventUserExistenceErrorTypes::Enabled);
        let answer = self.send(scope, Operation::CreateUserPoolClient, request.send()).await?;
        answer.user_pool_client.ok_or_else(|| incomplete("an app client"))
    }

    /// Declares a custom attribute. Its name has no prefix.
    pub(crate) async fn add_attribute(&self, scope: &CallScope, name: &str) -> Result<()> {
        let attribute = SchemaAttributeType::builder().name(name).attribute_data_type(AttributeDataType::String);
        let request = self.sdk.add_custom_attributes().user_pool_id(&self.id);
        let request = request.custom_attributes(attribute.mutable(true).build());
        self.send(scope, Operation::AddCustomAttributes, request.send()).await.map(drop)
    }
}
