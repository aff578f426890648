//! Sins of the OAuth side.

sins! {
    a_request_to_identify_is_found_out AsksToIdentify [
        "federation_users::a_signed_token_is_judged_without_a_request"
        "federation_users::an_expired_token_is_told_and_not_validated"
    ]
    a_token_blamed_for_an_outage_is_found_out BlamesTheTokenForOutages [
        "federation_outages::a_500_is_unavailable"
        "federation_outages::a_503_is_unavailable"
        "federation_outages::a_cut_body_is_unavailable"
        "federation_outages::a_cut_connection_is_unavailable"
        "federation_outages::a_gateways_403_in_json_is_no_missing_right"
        "federation_outages::a_gateways_403_page_is_no_missing_right"
        "federation_outages::a_gateways_404_in_json_is_no_missing_user"
        "federation_outages::a_gateways_404_page_is_no_missing_user"
        "federation_outages::a_gateways_401_page_is_no_refused_credential"
        "federation_outages::a_rate_limit_is_rate_limited_with_its_wait"
        "federation_outages::a_redirect_is_not_followed"
        "federation_outages::a_refused_connection_is_unavailable"
        "federation_outages::an_empty_body_is_an_invalid_response"
        "federation_outages::an_endless_depth_is_an_invalid_response"
        "federation_outages::an_outage_in_any_step_of_a_logout_is_no_success"
        "federation_outages::garbage_is_an_invalid_response"
        "federation_outages::a_gateways_401_in_any_step_of_a_logout_is_no_success"
        "federation_outages::a_gateways_bare_401_is_no_refused_credential"
    ]
    a_token_blamed_for_a_gateway BlamesTheTokenForGateways [
        "federation_outages::a_gateways_401_in_any_step_of_a_logout_is_no_success"
        "federation_outages::a_gateways_401_page_is_no_refused_credential"
        "federation_outages::a_gateways_bare_401_is_no_refused_credential"
    ]
    a_user_wide_logout_is_found_out EndsEverySession [
        "federation_logout::other_logins_live_on"
    ]
    forgotten_other_logins_are_found_out ForgetsOtherLogins [
        "federation_logout::other_logins_end_where_no_session_can"
    ]
    a_followed_key_address_is_found_out FollowsKeyAddresses [
        "federation_tokens::a_token_that_says_where_its_key_is_is_refused"
    ]
    a_raw_parameter_is_found_out HandsThroughRaw [
        "federation_session_end::the_address_is_the_identity_providers"
        "federation_session_end::whatever_is_handed_through_is_one_parameter"
    ]
    a_forgotten_time_is_found_out IgnoresTime [
        "federation_tokens::a_token_of_the_future_is_refused"
        "federation_tokens::a_token_that_expired_long_ago_is_refused"
    ]
    a_skipped_signature_is_found_out SkipsSignatures [
        "federation_tokens::a_token_of_an_unknown_key_is_refused"
        "federation_tokens::a_token_signed_with_public_knowledge_is_refused"
        "federation_tokens::a_token_that_brings_its_own_key_is_refused"
        "federation_tokens::a_token_that_says_where_its_key_is_is_refused"
        "federation_tokens::a_token_with_an_extension_that_must_be_understood_is_refused"
        "federation_tokens::a_token_with_another_signature_is_refused"
        "federation_tokens::an_altered_token_is_refused"
        "federation_tokens::an_unsigned_token_is_refused"
    ]
    a_stumble_over_a_repetition_is_found_out StumblesOverRepetitions [
        "federation_logout::a_blocked_user_is_logged_out"
        "federation_logout::a_deleted_user_is_no_error"
        "federation_logout::a_hint_of_another_user_ends_nobody_elses_login"
        "federation_logout::a_login_that_has_ended_is_no_error"
        "federation_logout::a_logout_ends_an_offline_login"
        "federation_logout::a_logout_ends_the_login"
        "federation_logout::a_logout_with_an_expired_token_ends_the_login"
        "federation_logout::a_repeated_logout_is_no_error"
        "federation_logout::other_logins_live_on"
        "federation_logout::other_users_live_on"
    ]
    another_clients_token_is_found_out TakesAnyClient [
        "federation_tokens::a_token_that_names_another_client_is_refused"
        "federation_tokens::another_clients_token_is_refused"
    ]
    another_issuers_token_is_found_out TakesAnyIssuer [
        "federation_tokens::a_token_of_another_issuer_is_refused"
        "federation_tokens::a_token_that_names_another_issuer_is_refused"
    ]
    a_token_of_another_kind_is_found_out TakesAnyKind [
        "federation_tokens::a_logout_token_is_refused"
        "federation_tokens::a_refresh_token_is_refused"
        "federation_tokens::a_token_of_another_type_is_refused"
        "federation_tokens::an_id_token_is_refused"
    ]
    any_logout_token_is_found_out TakesAnyLogoutToken [
        "federation_back_channel::a_logout_token_for_another_client_is_refused"
        "federation_back_channel::a_logout_token_that_has_expired_is_refused"
        "federation_back_channel::a_logout_token_that_is_stale_is_refused"
        "federation_back_channel::a_logout_token_with_a_nonce_is_refused"
        "federation_back_channel::a_logout_token_without_the_event_is_refused"
    ]
    a_bound_token_is_found_out TakesBoundTokens [
        "federation_tokens::a_token_bound_to_a_key_is_refused"
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
        "federation_outages::a_503_is_unavailable"
        "federation_outages::a_cut_connection_is_unavailable"
        "federation_outages::an_outage_in_any_step_of_a_logout_is_no_success"
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
        "federation_users::a_blocked_user_has_no_good_token"
        "federation_users::a_deleted_user_has_no_good_token"
        "federation_users::only_the_claim_says_the_customer"
        "federation_users::several_customers_are_told_apart_from_one"
        "federation_users::the_answer_about_another_token_is_no_answer"
        "federation_users::the_customer_is_the_users_own"
        "federation_users::the_end_of_a_session_ends_its_token"
        "federation_users::validation_costs_one_request"
    ]
    a_claimed_logout_is_found_out ClaimsWithoutDoing [
        "federation_logout::a_logout_ends_an_offline_login"
        "federation_logout::a_logout_ends_the_login"
        "federation_logout::a_logout_that_is_late_at_once_does_nothing"
        "federation_logout::a_logout_with_an_expired_token_ends_the_login"
        "federation_logout::a_logout_with_nothing_but_an_expired_token_ends_the_login"
        "federation_logout::a_logout_without_the_refresh_token_ends_an_offline_login"
        "federation_logout::a_logout_without_the_refresh_token_ends_the_login"
        "federation_logout::a_repeated_logout_is_no_error"
        "federation_logout::another_clients_refresh_token_is_invalid_input"
        "federation_logout::other_logins_live_on"
    ]
    a_diagnosis_of_clients_without_a_fix_is_found_out DiagnosisHasNoFix [
        "federation_settings::a_missing_right_shows_no_more"
        "federation_settings::a_wrong_client_secret_is_found"
        "federation_settings::an_outage_is_found_in_time"
    ]
    a_diagnosis_of_clients_that_is_always_fine_is_found_out DiagnosisIsAlwaysFine [
        "federation_settings::a_wrong_client_secret_is_found"
        "federation_settings::an_outage_is_found_in_time"
    ]
    a_service_account_that_logs_in_is_found_out FindsServiceAccounts [
        "federation_tokens::a_service_accounts_token_is_refused"
    ]
    an_ignored_deadline_of_a_token_is_found_out IgnoresTheDeadline [
        "federation_outages::silence_is_a_timeout"
    ]
    a_leaked_answer_about_a_token_is_found_out LeaksBodies [
        "federation_outages::a_500_is_unavailable"
        "federation_outages::a_503_is_unavailable"
        "federation_outages::a_gateways_403_in_json_is_no_missing_right"
        "federation_outages::a_gateways_403_page_is_no_missing_right"
        "federation_outages::a_gateways_404_in_json_is_no_missing_user"
        "federation_outages::a_gateways_404_page_is_no_missing_user"
        "federation_outages::a_gateways_401_page_is_no_refused_credential"
        "federation_outages::a_rate_limit_is_rate_limited_with_its_wait"
        "federation_outages::an_outage_in_any_step_of_a_logout_is_no_success"
    ]
    a_picked_claim_is_found_out PicksACustomer [
        "federation_users::a_strange_claim_is_no_customer"
        "federation_users::several_customers_are_told_apart_from_one"
    ]
    an_answer_about_a_token_that_is_trusted_is_found_out TrustsAnyAnswer [
        "federation_users::the_answer_about_another_token_is_no_answer"
    ]
    a_hint_taken_for_a_credential_is_found_out EndsTheHintedSession [
        "federation_logout::a_hint_of_another_user_ends_nobody_elses_login"
    ]
}
