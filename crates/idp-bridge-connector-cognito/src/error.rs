//! Converts Cognito's errors by their codes. The status of nearly all of them is 400.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cognitoidentityprovider::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::*;
use idp_bridge_http::{Effect, Response, StatusCode, status_error};
use serde::Deserialize;

use crate::transport::RetryAfter;

/// An operation of Cognito, with its name in the API. The meaning of some error codes depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    AdminGetUser,
    ListUsers,
    ListUsersInGroup,
    AdminUpdateUserAttributes,
    AdminDeleteUser,
    /// Used only to send another invitation, never to create a user.
    AdminCreateUser,
    ResendConfirmationCode,
    ForgotPassword,
    RevokeToken,
    AdminUserGlobalSignOut,
    DescribeUserPool,
    ListUserPoolClients,
    DescribeUserPoolClient,
    AddCustomAttributes,
    CreateUserPoolClient,
}

impl Operation {
    /// Returns whether the operation changes something or sends a mail.
    pub(crate) fn effect(self) -> Effect {
        match self {
            Self::AdminUpdateUserAttributes
            | Self::AdminDeleteUser
            | Self::AdminCreateUser
            | Self::ResendConfirmationCode
            | Self::ForgotPassword
            | Self::RevokeToken
            | Self::AdminUserGlobalSignOut
            | Self::AddCustomAttributes
            | Self::CreateUserPoolClient => Effect::Write,
            _ => Effect::Read,
        }
    }

    /// Returns whether an app client authenticates the operation, instead of an IAM principal.
    fn is_for_app_client(self) -> bool {
        matches!(self, Self::ResendConfirmationCode | Self::ForgotPassword | Self::RevokeToken)
    }
}

/// Writes the name of the operation and of its IAM action.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Converts the error of an operation.
pub(crate) fn to_error<E>(operation: Operation, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let wait = error.raw_response().and_then(|response| response.extension::<RetryAfter>()).and_then(|wait| wait.0);
    let error = match &error {
        SdkError::ServiceError(refusal) => {
            from_code(operation, refusal.err().code().unwrap_or_default(), refusal.err().message().unwrap_or_default())
        }
        SdkError::ResponseError(unreadable) => with_endpoint_hint(status_error(unreadable.raw().status().as_u16())),
        SdkError::TimeoutError(_) => timed_out(),
        _ => from_transport(error),
    };
    // Errors of the transport have their own value.
    let wait = wait.or(error.retry_after());
    error.with("step", operation.to_string()).with_retry_after(wait)
}

/// Converts an error code. Where a code has several meanings, known words of the message decide.
fn from_code(operation: Operation, code: &str, message: &str) -> Error {
    let error = match code {
        "UserNotFoundException" => Error::upstream(NotFound, "no such user"),
        "ResourceNotFoundException" if operation.is_for_app_client() => {
            Error::upstream(Misconfigured, "the pool has no such app client").with_hint("check `client_id`")
        }
        // Cognito returns this code for an unknown pool too. The caller checks the pool.
        "ResourceNotFoundException" if operation == Operation::ListUsersInGroup => {
            Error::upstream(NotFound, "no such group")
        }
        "ResourceNotFoundException" => {
            Error::upstream(Misconfigured, "cognito has no such pool").with_hint("check `user_pool_id` and `region`")
        }
        // Cognito returns these codes for a token of another client too. The caller checks the secret.
        "UnauthorizedException" | "NotAuthorizedException" if operation == Operation::RevokeToken => {
            Error::upstream(Unauthenticated, "cognito refused the app client")
                .with_hint("check the client's secret in `federation.clients`")
        }
        "UnsupportedTokenTypeException" => Error::upstream(InvalidInput, "the token is not a refresh token"),
        "UnsupportedOperationException" if operation == Operation::RevokeToken => {
            Error::upstream(Unsupported, "the app client's tokens cannot be revoked")
                .with_hint("User pools → the pool → App clients → the client → Edit: enable token revocation")
        }
        "NotAuthorizedException" => not_authorized(operation, message),
        "InvalidParameterException" => invalid_parameter(operation, message),
        "AliasExistsException" => {
            Error::upstream(Conflict, "another user has this verified address, and the pool signs users in by it")
        }
        "CodeDeliveryFailureException" => {
            Error::upstream(Unavailable, "cognito could not hand the mail to its mail system")
        }
        "UserLambdaValidationException" => {
            Error::upstream(State, "a Lambda trigger of the pool rejected the operation for this user")
        }
        _ => from_common_code(code),
    };
    if error.kind() == PermissionDenied { error.with("action", operation.to_string()) } else { error }
}

/// Converts a code with one meaning for all operations, including AWS's common errors.
fn from_common_code(code: &str) -> Error {
    match code {
        "TooManyRequestsException" | "LimitExceededException" | "TooManyFailedAttemptsException" => {
            Error::upstream(RateLimited, "cognito limits the rate of requests")
        }
        code if is_throttling(code) => Error::upstream(RateLimited, "cognito limits the rate of requests"),
        "UserNotConfirmedException" | "PasswordResetRequiredException" | "UnsupportedUserStateException" => {
            Error::upstream(State, "cognito does not allow the operation for a user in this state")
        }
        "AccessDeniedException" | "AccessDenied" | "OptInRequired" | "SubscriptionRequiredException" => {
            Error::upstream(PermissionDenied, "the credentials lack a right")
                .with_hint(
                    "IAM → the bridge's user or role → Permissions: allow the action on the pool's ARN; and check `user_pool_id`, \
                     since AWS returns this error for a missing pool too",
                )
        }
        "ForbiddenException" => Error::upstream(PermissionDenied, "the pool's web ACL blocks the bridge")
            .with_hint("User pools → the pool → AWS WAF: allow the bridge's address"),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken" => Error::upstream(Unauthenticated, "AWS has no such access key")
            .with_hint("check `access_key_id` and `session_token`"),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" | "RequestExpired" => {
            Error::upstream(Unauthenticated, "AWS refused the signature")
                .with_hint("check `secret_access_key`, and that this host's clock is right")
        }
        "ExpiredTokenException" | "ExpiredToken" => Error::upstream(Unauthenticated, "the credentials have expired")
            .with_hint("set permanent keys, or `role_arn`"),
        "InvalidUserPoolConfigurationException"
        | "InvalidEmailRoleAccessPolicyException"
        | "InvalidSmsRoleAccessPolicyException"
        | "InvalidSmsRoleTrustRelationshipException" => {
            Error::upstream(Misconfigured, "the pool's settings do not allow it to send messages")
                .with_hint("User pools → the pool → Authentication methods: check Email and SMS")
        }
        "UnexpectedLambdaException" | "InvalidLambdaResponseException" => {
            Error::upstream(Misconfigured, "a Lambda trigger of the pool failed")
                .with_hint("User pools → the pool → Extensions: see the trigger's log")
        }
        "InternalErrorException"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Error::upstream(Unavailable, "cognito failed"),
        _ => unknown_code(),
    }
}

fn unknown_code() -> Error {
    Error::upstream(InvalidResponse, "cognito rejected the request with an unexpected error code")
}

/// Converts `NotAuthorizedException`. For an app client it means a wrong secret or a user's state (seen on ministack 1.5.33,
/// November 2026: `Unable to verify secret hash`; reported of the live service: `User password cannot be reset in the current
/// state` and `User is disabled`).
fn not_authorized(operation: Operation, message: &str) -> Error {
    if !operation.is_for_app_client() {
        return Error::upstream(PermissionDenied, "cognito refused the credentials for this operation");
    }
    if message.contains("state") || message.contains("disabled") {
        return Error::upstream(State, "cognito does not allow the operation for a user in this state");
    }
    Error::upstream(Unauthenticated, "cognito refused the app client").with_hint("check `client_secret`")
}

/// Converts `InvalidParameterException`. It is the user's state only for operations where nothing else can be invalid.
fn invalid_parameter(operation: Operation, message: &str) -> Error {
    match operation {
        // Reported of the live service.
        Operation::ResendConfirmationCode if message.contains("Auto verification not turned on") => {
            Error::upstream(Misconfigured, "the pool does not verify addresses")
                .with_hint("User pools → the pool → Sign-up: let Cognito verify the email")
        }
        Operation::ResendConfirmationCode => Error::upstream(State, "the user has already confirmed the sign-up"),
        Operation::ForgotPassword => Error::upstream(State, "the user has no verified address for a password reset"),
        Operation::AdminUpdateUserAttributes => {
            Error::upstream(State, "cognito does not allow this change of the user")
        }
        Operation::RevokeToken => Error::upstream(InvalidInput, "the token is not a refresh token"),
        _ => unknown_code(),
    }
}

/// Adds the settings to check when a response is not from AWS.
pub(crate) fn with_endpoint_hint(error: Error) -> Error {
    error
        .with_hint("check `endpoint` and `sts_endpoint`, and any proxy, gateway or firewall between the bridge and AWS")
}

/// Creates the error of a passed deadline.
pub(crate) fn timed_out() -> Error {
    Error::upstream(Timeout, "cognito did not answer before the deadline")
}

/// Converts the error of a request without a response: the HTTP client's, or missing credentials.
fn from_transport<E>(error: SdkError<E>) -> Error
where
    E: StdError + Send + Sync + 'static,
{
    let source = match error.into_source().map(|source| source.downcast::<ConnectorError>()) {
        Ok(Ok(connector)) => connector.into_source(),
        Ok(Err(other)) => other,
        Err(_) => return Error::ours(Unexpected, "the AWS SDK failed without a reason"),
    };
    match source.downcast::<Error>() {
        Ok(own) => *own,
        // The SDK's message may quote the token service. It is not shown.
        Err(other) => from_credentials(&*other),
    }
}

fn from_credentials(error: &(dyn StdError + 'static)) -> Error {
    let causes = || causes(error);
    if let Some(own) = causes().find_map(|cause| cause.downcast_ref::<Error>()) {
        return own.with_message("AWS credentials could not be obtained").with("cause", own.message().to_owned());
    }
    match causes().find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        Some(CredentialsError::ProviderTimedOut(_)) => timed_out(),
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            Error::ours(Unauthenticated, "the host has no AWS credentials")
                .with_hint("give the instance, task or pod a role, set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or set `access_key_id`")
        }
        Some(_) => Error::upstream(Unauthenticated, "AWS refused to issue credentials").with_hint(
            "check `role_arn` and `external_id` against the role's trust policy, and the keys that assume the role",
        ),
        None => Error::ours(Unexpected, "the AWS SDK could not send a request"),
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The body of an error response of Cognito.
#[derive(Deserialize)]
pub(crate) struct ErrorBody {
    #[serde(rename = "__type")]
    code: String,
}

/// Returns the status that fits Cognito's error code better than the 400 of the response. The HTTP client retries by it.
pub(crate) fn effective_status(response: &Response) -> StatusCode {
    if response.status != StatusCode::BAD_REQUEST {
        return response.status;
    }
    let Ok(ErrorBody { code }) = response.refusal() else { return response.status };
    // Some services add a namespace before the code.
    match code.rsplit('#').next().unwrap_or_default() {
        "CodeDeliveryFailureException" => StatusCode::BAD_GATEWAY,
        // `LimitExceededException` is final: a user's limit lasts longer than a retry.
        code if is_throttling(code) || code == "TooManyRequestsException" => StatusCode::TOO_MANY_REQUESTS,
        _ => response.status,
    }
}

/// Returns whether the token service sent this error response: XML with a code.
pub(crate) fn is_sts_error(response: &Response) -> bool {
    response.text().is_some_and(|text| text.contains("<ErrorResponse") && text.contains("<Code>"))
}

/// Returns the status that fits the token service's error code.
pub(crate) fn effective_sts_status(response: &Response) -> StatusCode {
    let is_throttled = response.text().is_some_and(|text| text.contains("<Code>Throttling"));
    if is_throttled { StatusCode::TOO_MANY_REQUESTS } else { response.status }
}

fn is_throttling(code: &str) -> bool {
    matches!(code, "ThrottlingException" | "Throttling" | "ThrottledException" | "RequestLimitExceeded")
}

#[cfg(test)]
mod tests {
    use Operation::*;
    use idp_bridge_core::ErrorKind;

    use super::*;

    /// Codes and messages as AWS documents them or as users report them (November 2026).
    const TABLE: &[(Operation, &str, &str, ErrorKind)] = &[
        (AdminGetUser, "UserNotFoundException", "User does not exist.", NotFound),
        (AdminGetUser, "ResourceNotFoundException", "User pool eu-west-1_x does not exist.", Misconfigured),
        (ListUsersInGroup, "ResourceNotFoundException", "Group not found.", NotFound),
        (ForgotPassword, "ResourceNotFoundException", "User pool client x does not exist.", Misconfigured),
        (AdminGetUser, "AccessDeniedException", "User: x is not authorized to perform: y", PermissionDenied),
        (AdminDeleteUser, "NotAuthorizedException", "", PermissionDenied),
        (AdminGetUser, "UnrecognizedClientException", "The security token is invalid.", Unauthenticated),
        (AdminGetUser, "InvalidSignatureException", "The request signature does not match", Unauthenticated),
        (AdminGetUser, "ExpiredTokenException", "The security token is expired", Unauthenticated),
        (ForgotPassword, "NotAuthorizedException", "Unable to verify secret hash for client x", Unauthenticated),
        (ForgotPassword, "NotAuthorizedException", "User password cannot be reset in the current state.", State),
        (ForgotPassword, "NotAuthorizedException", "User is disabled.", State),
        (ForgotPassword, "InvalidParameterException", "Cannot reset password for the user as there is no ...", State),
        (ResendConfirmationCode, "InvalidParameterException", "User is already confirmed.", State),
        (ResendConfirmationCode, "InvalidParameterException", "Auto verification not turned on.", Misconfigured),
        (AdminUpdateUserAttributes, "InvalidParameterException", "Cannot verify email without an email", State),
        (AdminUpdateUserAttributes, "AliasExistsException", "", Conflict),
        (ListUsers, "InvalidParameterException", "Error while parsing filter.", InvalidResponse),
        (RevokeToken, "UnauthorizedException", "", Unauthenticated),
        (RevokeToken, "NotAuthorizedException", "", Unauthenticated),
        (RevokeToken, "UnsupportedTokenTypeException", "", InvalidInput),
        (RevokeToken, "InvalidParameterException", "Value at 'token' failed to satisfy constraint", InvalidInput),
        (RevokeToken, "UnsupportedOperationException", "", Unsupported),
        (RevokeToken, "ResourceNotFoundException", "User pool client x does not exist.", Misconfigured),
        (AdminUserGlobalSignOut, "UserNotFoundException", "User does not exist.", NotFound),
        (AdminUserGlobalSignOut, "AccessDeniedException", "User: x is not authorized to perform: y", PermissionDenied),
        (ForgotPassword, "CodeDeliveryFailureException", "", Unavailable),
        (ForgotPassword, "LimitExceededException", "Attempt limit exceeded, please try after some time.", RateLimited),
        (ListUsers, "TooManyRequestsException", "Too many requests", RateLimited),
        (ListUsers, "ThrottlingException", "Rate exceeded", RateLimited),
        (ListUsers, "InternalErrorException", "", Unavailable),
        (ListUsers, "SomethingNewException", "", InvalidResponse),
        (ListUsers, "", "", InvalidResponse),
    ];

    #[test]
    fn codes_map_to_kinds() {
        for (operation, code, message, kind) in TABLE {
            assert_eq!(from_code(*operation, code, message).kind(), *kind, "{operation:?} {code} {message}");
        }
    }

    #[test]
    fn missing_action_is_named() {
        let error = from_code(AdminDeleteUser, "AccessDeniedException", "");
        assert_eq!(error.context("action"), Some("AdminDeleteUser"));
    }

    #[test]
    fn upstream_messages_are_never_shown() {
        for (operation, code, message, _) in TABLE {
            let shown = format!("{:?}", from_code(*operation, code, &format!("{message} s3cr3t")));
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
