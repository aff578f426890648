//! Sins of the OAuth side.

sins! {
    a_request_to_identify_is_found_out AsksToIdentify [
        "federation_users::a_signed_token_is_judged_without_a_request"
    ]
    a_token_blamed_for_an_outage_is_found_out BlamesTheTokenForOutages [
        "federation_outages::a_500_is_unavailable"
    ]
    a_user_wide_logout_is_found_out EndsEverySession [
        "federation_logout::other_logins_live_on"
    ]
    a_followed_key_address_is_found_out FollowsKeyAddresses [
        "federation_tokens::a_token_that_says_where_its_key_is_is_refused"
    ]
    a_raw_parameter_is_found_out HandsThroughRaw [
        "federation_session_end::whatever_is_handed_through_is_one_parameter"
    ]
    a_forgotten_time_is_found_out IgnoresTime [
        "federation_tokens::a_token_of_the_future_is_refused"
    ]
    a_skipped_signature_is_found_out SkipsSignatures [
        "federation_tokens::an_altered_token_is_refused"
    ]
    a_stumble_over_a_repetition_is_found_out StumblesOverRepetitions [
        "federation_logout::a_repeated_logout_is_no_error"
    ]
    another_clients_token_is_found_out TakesAnyClient [
        "federation_tokens::another_clients_token_is_refused"
    ]
    another_issuers_token_is_found_out TakesAnyIssuer [
        "federation_tokens::a_token_of_another_issuer_is_refused"
    ]
    a_token_of_another_kind_is_found_out TakesAnyKind [
        "federation_tokens::an_id_token_is_refused"
    ]
    any_logout_token_is_found_out TakesAnyLogoutToken [
        "federation_back_channel::a_logout_token_with_a_nonce_is_refused"
    ]
    a_bound_token_is_found_out TakesBoundTokens [
        "federation_tokens::a_token_bound_to_its_sender_is_refused"
    ]
    a_foreign_refresh_token_is_found_out TakesForeignRefreshTokens [
        "federation_logout::another_clients_refresh_token_is_invalid_input"
    ]
    an_hmac_taken_for_a_signature_is_found_out TakesHmacs [
        "federation_tokens::a_token_signed_with_public_knowledge_is_refused"
    ]
    an_outage_taken_for_a_logout_is_found_out TakesOutageForDone [
        "federation_outages::a_500_is_unavailable"
    ]
    a_key_of_the_token_itself_is_found_out TakesTheTokensKey [
        "federation_tokens::a_token_that_brings_its_own_key_is_refused"
    ]
    an_unsigned_token_is_found_out TakesUnsigned [
        "federation_tokens::an_unsigned_token_is_refused"
    ]
    an_endpoint_that_is_no_url_is_found_out TellsPaths [
        "federation_settings::applications_are_told_where_to_log_in"
    ]
    a_signature_taken_for_life_is_found_out ValidatesBySignature [
        "federation_users::validation_costs_one_request"
    ]
}
