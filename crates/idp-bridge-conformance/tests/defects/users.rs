//! Defects of the seven calls.

defects! {
    returns_the_first_of_several ReturnsTheFirstOfSeveral [
        "get::two_users_of_one_customer_are_ambiguous"
        "get::two_users_with_one_address_are_ambiguous"
        "mail::a_shared_address_is_ambiguous_and_gets_no_reset"
    ]
    sends_raw_paths SendsRawPaths [
        "get::a_reserved_id_is_not_found_without_a_request"
        "hostile::a_delete_of_metacharacters_changes_no_user"
        "hostile::a_mark_of_a_part_of_an_id_changes_no_user"
        "hostile::a_mark_of_metacharacters_changes_no_user"
        "hostile::a_part_of_an_id_finds_no_user"
        "hostile::a_verification_for_metacharacters_reaches_no_user"
        "hostile::an_id_full_of_metacharacters_finds_no_user"
    ]
    deletes_by_prefix DeletesByPrefix [
        "delete::a_service_account_stays"
        "hostile::a_delete_of_a_part_of_an_id_changes_no_user"
    ]
    skips_writes SkipsWrites [
        "delete::a_blocked_user_is_deleted"
        "delete::a_deleted_user_is_gone_by_every_key"
        "delete::a_repeated_delete_is_not_an_error"
        "delete::a_service_account_stays"
        "delete::a_user_of_several_customers_is_deleted"
        "delete::a_user_without_a_customer_is_deleted"
        "delete::a_user_without_an_email_is_deleted"
        "delete::an_unknown_user_is_absent"
        "mail::a_blocked_user_gets_no_reset"
        "mail::a_verification_for_a_blocked_user_is_sent_or_refused"
        "mail::a_failing_mail_system_is_unavailable_and_unknown"
        "mail::an_unaccepted_mail_is_an_error"
        "mail::exactly_one_mail_goes_to_the_user"
        "mark::a_blocked_user_is_marked"
        "mark::a_user_without_a_customer_is_marked"
        "mark::an_address_that_changes_meanwhile_is_set_back"
        "mark::the_address_is_verified_and_nothing_else_changes"
        "mark::the_expected_address_is_marked_in_any_ascii_case"
    ]
    diagnosis_has_no_fix DiagnosisHasNoFix [
        "controls::a_missing_role_is_diagnosed"
        "controls::a_narrow_role_is_diagnosed"
        "controls::a_read_only_role_is_diagnosed"
        "controls::a_wrong_realm_is_diagnosed"
        "controls::a_wrong_secret_is_diagnosed"
        "diagnose::an_outage_is_found_in_time"
    ]
    diagnosis_is_always_fine DiagnosisIsAlwaysFine [
        "controls::a_missing_role_is_diagnosed"
        "controls::a_narrow_role_is_diagnosed"
        "controls::a_read_only_role_is_diagnosed"
        "controls::a_wrong_realm_is_diagnosed"
        "controls::a_wrong_secret_is_diagnosed"
        "diagnose::a_silent_identity_provider_is_found_in_time"
        "diagnose::an_outage_is_found_in_time"
    ]
    drops_blocked_users DropsBlockedUsers [
        "delete::a_blocked_user_is_deleted"
        "get::a_blocked_user_is_returned"
        "mail::a_blocked_user_gets_no_reset"
        "mail::a_verification_for_a_blocked_user_is_sent_or_refused"
        "mark::a_blocked_user_is_marked"
    ]
    follows_redirects FollowsRedirects [
        "faults::a_redirect_is_not_followed"
        "faults::at_first_a_redirect_is_not_followed"
    ]
    never_updates_the_update_time NeverUpdatesTheUpdateTime [
        "get::a_change_moves_an_exact_update_time"
    ]
    folds_case FoldsCase [
        "hostile::a_part_of_a_customer_finds_no_user"
        "hostile::a_part_of_an_address_finds_no_user"
    ]
    omits_the_retry_after OmitsTheRetryAfter [
        "faults::a_rate_limit_is_rate_limited_with_its_wait"
        "faults::at_first_a_rate_limit_is_rate_limited_with_its_wait"
    ]
    finds_service_accounts FindsServiceAccounts [
        "delete::a_service_account_stays"
        "get::a_service_account_is_not_found"
        "mail::a_service_account_gets_no_mail"
        "mark::a_service_account_is_not_found"
    ]
    ignores_the_deadline IgnoresTheDeadline [
        "capabilities::a_call_without_time_left_does_nothing"
        "faults::a_trickling_body_is_a_timeout"
        "faults::at_first_a_trickling_body_is_a_timeout"
        "faults::at_first_silence_is_a_timeout"
        "faults::silence_is_a_timeout"
    ]
    ignores_the_expected_address IgnoresTheExpectedAddress [
        "mark::an_address_that_changes_meanwhile_is_set_back"
        "mark::another_expected_address_is_a_conflict"
    ]
    invents_fields InventsFields [
        "get::a_user_without_a_customer_is_returned_without_it"
        "get::a_user_without_an_email_is_returned_without_it"
        "get::every_field_is_as_declared"
        "get::users_cannot_choose_their_customer"
        "mark::a_user_without_an_email_is_a_state_error"
    ]
    leaks_bodies LeaksBodies [
        "writes::a_gateways_refusal_is_not_a_response"
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::a_rate_limited_write_did_not_run"
    ]
    leaks_ids LeaksIds [
        "faults::a_cut_body_is_unavailable"
        "faults::a_cut_connection_is_unavailable"
        "faults::a_refused_connection_is_unavailable"
    ]
    leaves_a_call_unwritten LeavesACallUnwritten [
        "capabilities::an_unsupported_call_is_not_unwritten"
    ]
    leaves_a_need_open LeavesANeedOpen [
        "capabilities::every_need_is_met_or_impossible"
    ]
    checks_only_before_the_write ChecksOnlyBeforeTheWrite [
        "mark::an_address_that_changes_meanwhile_is_set_back"
    ]
    mails_verified_users MailsVerifiedUsers [
        "mail::a_verified_user_gets_no_second_verification"
    ]
    mails_twice MailsTwice [
        "mail::exactly_one_mail_goes_to_the_user"
    ]
    marks_and_wipes MarksAndWipes [
        "mark::a_blocked_user_is_marked"
        "mark::a_verified_user_is_not_an_error"
        "mark::the_address_is_verified_and_nothing_else_changes"
    ]
    matches_substrings MatchesSubstrings [
        "get::the_requested_user_is_returned_among_others"
        "hostile::a_customer_full_of_metacharacters_finds_no_user"
        "hostile::a_part_of_a_customer_finds_no_user"
        "hostile::a_part_of_an_address_finds_no_user"
        "hostile::a_reset_for_metacharacters_reaches_no_user"
        "hostile::an_address_full_of_metacharacters_finds_no_user"
    ]
    never_retries_reads NeverRetriesReads [
        "faults::a_read_recovers_from_one_503"
        "faults::a_read_recovers_from_one_cut_connection"
    ]
    picks_a_customer PicksACustomer [
        "get::a_user_of_several_customers_matches_none_alone"
        "get::several_customers_are_not_one"
    ]
    reads_user_written_customers ReadsUserWrittenCustomers [
        "get::users_cannot_choose_their_customer"
    ]
    retries_writes RetriesWrites [
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::a_cut_connection_is_unknown_and_not_sent_twice"
        "writes::a_lost_answer_is_unknown_and_not_sent_twice"
    ]
    sends_the_token_everywhere SendsTheTokenEverywhere [
        "origins::the_second_origin_gets_no_credential_of_the_first"
    ]
    sets_passwords_at_once SetsPasswordsAtOnce [
        "mail::a_requested_reset_keeps_the_password"
    ]
    swallows_garbage SwallowsGarbage [
        "faults::a_null_is_an_invalid_response"
        "faults::an_empty_body_is_an_invalid_response"
        "faults::an_empty_object_is_an_invalid_response"
        "faults::an_endless_depth_is_an_invalid_response"
        "faults::garbage_is_an_invalid_response"
        "writes::an_empty_object_is_not_an_accepted_mail"
        "writes::garbage_is_unknown_and_not_sent_twice"
    ]
    converts_empty_to_not_found ConvertsEmptyToNotFound [
        "controls::a_narrow_role_is_an_error"
    ]
    converts_forbidden_to_not_found ConvertsForbiddenToNotFound [
        "controls::a_missing_role_is_an_error"
        "controls::a_narrow_role_is_an_error"
        "controls::a_read_only_role_is_an_error"
    ]
    ignores_mail_failures IgnoresMailFailures [
        "mail::a_failing_mail_system_is_unavailable_and_unknown"
    ]
    converts_outage_to_not_found ConvertsOutageToNotFound [
        "faults::a_500_is_unavailable"
        "faults::a_503_is_unavailable"
        "faults::a_cut_body_is_unavailable"
        "faults::a_cut_connection_is_unavailable"
        "faults::a_read_recovers_from_one_cut_connection"
        "faults::a_refused_connection_is_unavailable"
        "faults::at_first_a_500_is_unavailable"
        "faults::at_first_a_503_is_unavailable"
        "faults::at_first_a_cut_body_is_unavailable"
        "faults::at_first_a_cut_connection_is_unavailable"
    ]
    converts_null_to_not_found ConvertsNullToNotFound [
        "faults::a_null_is_an_invalid_response"
        "faults::an_empty_object_is_an_invalid_response"
    ]
    ignores_unaccepted_mails IgnoresUnacceptedMails [
        "mail::an_unaccepted_mail_is_an_error"
        "writes::an_empty_object_is_not_an_accepted_mail"
    ]
    trusts_any_response TrustsAnyResponse [
        "faults::another_users_record_is_not_a_missing_user"
        "faults::a_response_about_another_user_sends_no_mail"
        "faults::a_response_about_another_user_is_an_error"
    ]
    converts_foreign_responses_to_not_found ConvertsForeignResponsesToNotFound [
        "controls::a_wrong_realm_is_an_error"
        "faults::a_gateways_404_in_json_is_not_a_missing_user"
        "faults::a_gateways_404_page_is_not_a_missing_user"
        "faults::at_first_a_gateways_404_in_json_is_not_a_missing_user"
        "faults::at_first_a_gateways_404_page_is_not_a_missing_user"
        "writes::a_gateways_refusal_is_not_a_response"
    ]
    blames_the_credential_for_gateways BlamesTheCredentialForGateways [
        "faults::a_gateways_401_page_is_not_a_refused_credential"
        "faults::a_gateways_bare_401_is_not_a_refused_credential"
        "faults::at_first_a_gateways_401_page_is_not_a_refused_credential"
        "faults::at_first_a_gateways_bare_401_is_not_a_refused_credential"
        "writes::a_gateways_refusal_is_not_a_response"
    ]
    blames_the_role_for_gateways BlamesTheRoleForGateways [
        "faults::a_gateways_403_in_json_is_not_a_missing_right"
        "faults::a_gateways_403_page_is_not_a_missing_right"
        "faults::at_first_a_gateways_403_in_json_is_not_a_missing_right"
        "faults::at_first_a_gateways_403_page_is_not_a_missing_right"
        "writes::a_gateways_refusal_is_not_a_response"
    ]
    converts_another_user_to_not_found ConvertsAnotherUserToNotFound [
        "faults::another_users_record_is_not_a_missing_user"
    ]
    verifies_any_address VerifiesAnyAddress [
        "get::another_address_does_not_verify_the_one_in_force"
    ]
    records_no_attempts RecordsNoAttempts [
        "recorder::every_attempt_is_counted"
    ]
    records_writes_late RecordsWritesLate [
        "recorder::a_write_is_recorded_before_it_is_sent"
        "writes::a_gateways_refusal_is_not_a_response"
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::a_cut_connection_is_unknown_and_not_sent_twice"
        "writes::a_lost_answer_is_unknown_and_not_sent_twice"
        "writes::a_rate_limited_write_did_not_run"
        "writes::an_empty_object_is_not_an_accepted_mail"
        "writes::garbage_is_unknown_and_not_sent_twice"
    ]
    records_writes_refused RecordsWritesRefused [
        "mark::an_address_that_changes_meanwhile_is_set_back"
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::an_empty_object_is_not_an_accepted_mail"
        "writes::garbage_is_unknown_and_not_sent_twice"
    ]
}
