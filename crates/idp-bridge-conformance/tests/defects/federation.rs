//! Defects of federation.

defects! {
    identifies_with_requests IdentifiesWithRequests [
        "federation_users::a_signed_token_is_identified_without_a_request"
        "federation_users::an_expired_token_is_identified_and_not_validated"
    ]
    blames_the_token_for_outages BlamesTheTokenForOutages [
        "federation_outages::a_500_is_unavailable"
        "federation_outages::a_503_is_unavailable"
        "federation_outages::a_cut_body_is_unavailable"
        "federation_outages::a_cut_connection_is_unavailable"
        "federation_outages::a_gateways_403_in_json_is_not_a_missing_right"
        "federation_outages::a_gateways_403_page_is_not_a_missing_right"
        "federation_outages::a_gateways_404_in_json_is_not_a_missing_user"
        "federation_outages::a_gateways_404_page_is_not_a_missing_user"
        "federation_outages::a_gateways_401_page_is_not_a_refused_credential"
        "federation_outages::a_rate_limit_is_rate_limited_with_its_wait"
        "federation_outages::a_redirect_is_not_followed"
        "federation_outages::a_refused_connection_is_unavailable"
        "federation_outages::an_empty_body_is_an_invalid_response"
        "federation_outages::an_endless_depth_is_an_invalid_response"
        "federation_outages::an_outage_in_any_step_of_a_logout_is_not_a_success"
        "federation_outages::garbage_is_an_invalid_response"
        "federation_outages::a_gateways_401_in_any_step_of_a_logout_is_not_a_success"
        "federation_outages::a_gateways_bare_401_is_not_a_refused_credential"
    ]
    blames_the_token_for_gateways BlamesTheTokenForGateways [
        "federation_outages::a_gateways_401_in_any_step_of_a_logout_is_not_a_success"
        "federation_outages::a_gateways_401_page_is_not_a_refused_credential"
        "federation_outages::a_gateways_bare_401_is_not_a_refused_credential"
    ]
    ends_every_session EndsEverySession [
        "federation_logout::other_logins_stay_valid"
    ]
    leaves_other_logins LeavesOtherLogins [
        "federation_logout::other_logins_end_without_single_session_logout"
    ]
    follows_key_addresses FollowsKeyAddresses [
        "federation_tokens::a_token_with_a_key_url_is_refused"
    ]
    encodes_no_parameters EncodesNoParameters [
        "federation_session_end::the_url_is_the_identity_providers"
        "federation_session_end::each_value_is_one_parameter"
    ]
    ignores_time IgnoresTime [
        "federation_tokens::a_token_that_is_not_valid_yet_is_refused"
        "federation_tokens::a_token_that_expired_long_ago_is_refused"
    ]
    skips_signatures SkipsSignatures [
        "federation_tokens::a_token_of_an_unknown_key_is_refused"
        "federation_tokens::a_token_with_a_public_hmac_secret_is_refused"
        "federation_tokens::a_token_with_an_embedded_key_is_refused"
        "federation_tokens::a_token_with_a_key_url_is_refused"
        "federation_tokens::a_token_with_a_critical_extension_is_refused"
        "federation_tokens::a_token_with_another_signature_is_refused"
        "federation_tokens::an_altered_token_is_refused"
        "federation_tokens::an_unsigned_token_is_refused"
    ]
    fails_repeated_logouts FailsRepeatedLogouts [
        "federation_logout::a_blocked_user_is_logged_out"
        "federation_logout::a_deleted_user_is_not_an_error"
        "federation_logout::a_hint_does_not_end_another_users_login"
        "federation_logout::a_login_that_has_ended_is_not_an_error"
        "federation_logout::a_logout_ends_an_offline_login"
        "federation_logout::a_logout_ends_the_login"
        "federation_logout::a_logout_with_an_expired_token_ends_the_login"
        "federation_logout::a_repeated_logout_is_not_an_error"
        "federation_logout::other_logins_stay_valid"
        "federation_logout::logins_of_other_users_stay_valid"
    ]
    accepts_any_client AcceptsAnyClient [
        "federation_tokens::a_token_that_names_another_client_is_refused"
        "federation_tokens::another_clients_token_is_refused"
    ]
    accepts_any_issuer AcceptsAnyIssuer [
        "federation_tokens::a_token_of_another_issuer_is_refused"
        "federation_tokens::a_token_that_names_another_issuer_is_refused"
    ]
    accepts_any_token_type AcceptsAnyTokenType [
        "federation_tokens::a_logout_token_is_refused"
        "federation_tokens::a_refresh_token_is_refused"
        "federation_tokens::a_token_of_another_type_is_refused"
        "federation_tokens::an_id_token_is_refused"
    ]
    accepts_any_logout_token AcceptsAnyLogoutToken [
        "federation_back_channel::a_logout_token_for_another_client_is_refused"
        "federation_back_channel::a_logout_token_that_has_expired_is_refused"
        "federation_back_channel::a_logout_token_that_is_stale_is_refused"
        "federation_back_channel::a_logout_token_with_a_nonce_is_refused"
        "federation_back_channel::a_logout_token_without_the_event_is_refused"
    ]
    accepts_bound_tokens AcceptsBoundTokens [
        "federation_tokens::a_token_bound_to_a_key_is_refused"
        "federation_tokens::a_token_bound_to_its_sender_is_refused"
    ]
    accepts_foreign_refresh_tokens AcceptsForeignRefreshTokens [
        "federation_logout::another_clients_refresh_token_is_invalid_input"
    ]
    accepts_hmacs AcceptsHmacs [
        "federation_tokens::a_token_with_a_public_hmac_secret_is_refused"
    ]
    ignores_outages_at_logout IgnoresOutagesAtLogout [
        "federation_outages::a_500_is_unavailable"
        "federation_outages::a_503_is_unavailable"
        "federation_outages::a_cut_connection_is_unavailable"
        "federation_outages::an_outage_in_any_step_of_a_logout_is_not_a_success"
    ]
    accepts_embedded_keys AcceptsEmbeddedKeys [
        "federation_tokens::a_token_with_an_embedded_key_is_refused"
    ]
    accepts_unsigned AcceptsUnsigned [
        "federation_tokens::an_unsigned_token_is_refused"
    ]
    returns_paths ReturnsPaths [
        "federation_settings::metadata_has_absolute_urls"
    ]
    validates_by_signature ValidatesBySignature [
        "federation_users::a_blocked_user_has_no_valid_token"
        "federation_users::a_deleted_user_has_no_valid_token"
        "federation_users::the_customer_comes_from_the_claim"
        "federation_users::several_customers_are_not_one"
        "federation_users::a_response_about_another_token_is_an_error"
        "federation_users::the_customer_is_the_users_own"
        "federation_users::the_end_of_a_session_ends_its_token"
        "federation_users::validation_costs_one_request"
    ]
    skips_writes SkipsWrites [
        "federation_logout::a_blocked_user_is_logged_out"
        "federation_logout::a_deleted_user_is_not_an_error"
        "federation_logout::a_logout_ends_an_offline_login"
        "federation_logout::a_logout_ends_the_login"
        "federation_logout::a_logout_without_time_left_does_nothing"
        "federation_logout::a_logout_with_an_expired_token_ends_the_login"
        "federation_logout::a_logout_with_only_an_expired_token_ends_the_login"
        "federation_logout::a_logout_without_the_refresh_token_ends_an_offline_login"
        "federation_logout::a_logout_without_the_refresh_token_ends_the_login"
        "federation_logout::a_repeated_logout_is_not_an_error"
        "federation_logout::another_clients_refresh_token_is_invalid_input"
        "federation_logout::other_logins_stay_valid"
    ]
    diagnosis_has_no_fix DiagnosisHasNoFix [
        "federation_settings::a_missing_right_turns_no_check_ok"
        "federation_settings::a_wrong_client_secret_is_found"
        "federation_settings::an_outage_is_found_in_time"
    ]
    diagnosis_is_always_fine DiagnosisIsAlwaysFine [
        "federation_settings::a_wrong_client_secret_is_found"
        "federation_settings::an_outage_is_found_in_time"
    ]
    finds_service_accounts FindsServiceAccounts [
        "federation_tokens::a_service_accounts_token_is_refused"
    ]
    ignores_the_deadline IgnoresTheDeadline [
        "federation_outages::silence_is_a_timeout"
    ]
    leaks_bodies LeaksBodies [
        "federation_outages::a_500_is_unavailable"
        "federation_outages::a_503_is_unavailable"
        "federation_outages::a_gateways_403_in_json_is_not_a_missing_right"
        "federation_outages::a_gateways_403_page_is_not_a_missing_right"
        "federation_outages::a_gateways_404_in_json_is_not_a_missing_user"
        "federation_outages::a_gateways_404_page_is_not_a_missing_user"
        "federation_outages::a_gateways_401_page_is_not_a_refused_credential"
        "federation_outages::a_rate_limit_is_rate_limited_with_its_wait"
        "federation_outages::an_outage_in_any_step_of_a_logout_is_not_a_success"
    ]
    picks_a_customer PicksACustomer [
        "federation_users::an_unusable_claim_is_not_a_customer"
        "federation_users::several_customers_are_not_one"
    ]
    trusts_any_response TrustsAnyResponse [
        "federation_users::a_response_about_another_token_is_an_error"
    ]
    ends_the_hinted_session EndsTheHintedSession [
        "federation_logout::a_hint_does_not_end_another_users_login"
    ]
}
