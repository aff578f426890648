//! Sins of the seven calls.

sins! {
    the_first_of_several_is_found_out AnswersTheFirstOfSeveral [
        "get::two_users_of_one_customer_are_ambiguous"
        "get::two_users_with_one_address_are_ambiguous"
        "mail::a_shared_address_is_ambiguous_and_gets_no_reset"
    ]
    a_raw_path_is_found_out AsksWithRawPaths [
        "get::a_reserved_id_is_nobody_and_asks_nothing"
        "hostile::a_delete_of_metacharacters_harms_nobody"
        "hostile::a_mark_of_a_part_of_an_id_harms_nobody"
        "hostile::a_mark_of_metacharacters_harms_nobody"
        "hostile::a_part_of_an_id_finds_nobody"
        "hostile::a_verification_for_metacharacters_reaches_nobody"
        "hostile::an_id_full_of_metacharacters_finds_nobody"
    ]
    a_delete_by_prefix_is_found_out DeletesByPrefix [
        "delete::a_service_account_stays"
        "hostile::a_delete_of_a_part_of_an_id_harms_nobody"
    ]
    a_write_that_is_only_claimed_is_found_out ClaimsWithoutDoing [
        "delete::a_blocked_user_is_deleted"
        "delete::a_deleted_user_is_gone_by_every_key"
        "delete::a_repeated_delete_is_no_error"
        "delete::a_service_account_stays"
        "delete::a_user_of_several_customers_is_deleted"
        "delete::a_user_without_a_customer_is_deleted"
        "delete::a_user_without_an_email_is_deleted"
        "delete::an_unknown_user_is_absent"
        "mail::a_blocked_user_gets_no_reset"
        "mail::a_blocked_user_gets_no_verification_or_is_sent_one"
        "mail::a_failing_mail_system_is_unavailable_and_unknown"
        "mail::a_success_that_accepts_nothing_is_an_error"
        "mail::one_mail_goes_to_the_user_and_to_no_other"
        "mark::a_blocked_user_is_marked"
        "mark::a_user_without_a_customer_is_marked"
        "mark::an_address_that_changes_meanwhile_is_set_back"
        "mark::the_address_is_verified_and_nothing_else_changes"
        "mark::the_expected_address_is_marked_in_any_ascii_case"
    ]
    a_diagnosis_without_a_fix_is_found_out DiagnosisHasNoFix [
        "controls::a_missing_role_is_diagnosed"
        "controls::a_narrow_role_is_diagnosed"
        "controls::a_read_only_role_is_diagnosed"
        "controls::a_wrong_realm_is_diagnosed"
        "controls::a_wrong_secret_is_diagnosed"
        "diagnose::an_outage_is_found_in_time"
    ]
    a_diagnosis_that_is_always_fine_is_found_out DiagnosisIsAlwaysFine [
        "controls::a_missing_role_is_diagnosed"
        "controls::a_narrow_role_is_diagnosed"
        "controls::a_read_only_role_is_diagnosed"
        "controls::a_wrong_realm_is_diagnosed"
        "controls::a_wrong_secret_is_diagnosed"
        "diagnose::a_silent_identity_provider_is_found_in_time"
        "diagnose::an_outage_is_found_in_time"
    ]
    a_blocked_user_that_is_dropped_is_found_out DropsBlockedUsers [
        "delete::a_blocked_user_is_deleted"
        "get::a_blocked_user_is_returned"
        "mail::a_blocked_user_gets_no_reset"
        "mail::a_blocked_user_gets_no_verification_or_is_sent_one"
        "mark::a_blocked_user_is_marked"
    ]
    a_followed_redirect_is_found_out FollowsRedirects [
        "faults::a_redirect_is_not_followed"
        "faults::at_first_a_redirect_is_not_followed"
    ]
    a_fixed_update_time_is_found_out FixesTheUpdateTime [
        "get::a_change_moves_an_exact_update_time"
    ]
    folded_case_is_found_out FoldsCase [
        "hostile::a_part_of_a_customer_finds_nobody"
        "hostile::a_part_of_an_address_finds_nobody"
    ]
    a_forgotten_wait_is_found_out ForgetsTheWait [
        "faults::a_rate_limit_is_rate_limited_with_its_wait"
        "faults::at_first_a_rate_limit_is_rate_limited_with_its_wait"
    ]
    a_service_account_taken_for_a_person_is_found_out FindsServiceAccounts [
        "delete::a_service_account_stays"
        "get::a_service_account_is_not_found"
        "mail::a_service_account_gets_no_mail"
        "mark::a_service_account_is_not_found"
    ]
    an_ignored_deadline_is_found_out IgnoresTheDeadline [
        "capabilities::a_call_that_is_late_at_once_does_nothing"
        "faults::a_trickling_body_is_a_timeout"
        "faults::at_first_a_trickling_body_is_a_timeout"
        "faults::at_first_silence_is_a_timeout"
        "faults::silence_is_a_timeout"
    ]
    an_ignored_address_is_found_out IgnoresTheExpectedAddress [
        "mark::an_address_that_changes_meanwhile_is_set_back"
        "mark::another_expected_address_is_a_conflict"
    ]
    an_invented_field_is_found_out InventsFields [
        "get::a_user_without_a_customer_is_returned_without_it"
        "get::a_user_without_an_email_is_returned_without_it"
        "get::every_field_is_as_declared"
        "get::users_cannot_choose_their_customer"
        "mark::a_user_without_an_email_is_in_the_wrong_state"
    ]
    a_leaked_body_is_found_out LeaksBodies [
        "writes::a_gateways_refusal_is_never_the_answer"
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::a_rate_limited_write_did_not_run"
    ]
    a_leaked_id_is_found_out LeaksIds [
        "faults::a_cut_body_is_unavailable"
        "faults::a_cut_connection_is_unavailable"
        "faults::a_refused_connection_is_unavailable"
    ]
    a_call_left_unwritten_is_found_out LeavesACallUnwritten [
        "capabilities::an_unsupported_call_is_not_just_unwritten"
    ]
    a_need_left_unstaged_is_found_out LeavesANeedUnstaged [
        "capabilities::nothing_is_left_to_stage"
    ]
    a_look_before_the_write_only_is_found_out LooksOnlyBefore [
        "mark::an_address_that_changes_meanwhile_is_set_back"
    ]
    a_mail_to_the_verified_is_found_out MailsTheVerifiedAgain [
        "mail::a_verified_user_gets_no_second_verification"
    ]
    a_second_mail_is_found_out MailsTwice [
        "mail::one_mail_goes_to_the_user_and_to_no_other"
    ]
    a_mark_that_wipes_is_found_out MarksAndWipes [
        "mark::a_blocked_user_is_marked"
        "mark::a_verified_user_is_no_error"
        "mark::the_address_is_verified_and_nothing_else_changes"
    ]
    a_match_of_substrings_is_found_out MatchesSubstrings [
        "get::the_asked_user_is_answered_among_others"
        "hostile::a_customer_full_of_metacharacters_finds_nobody"
        "hostile::a_part_of_a_customer_finds_nobody"
        "hostile::a_part_of_an_address_finds_nobody"
        "hostile::a_reset_for_metacharacters_reaches_nobody"
        "hostile::an_address_full_of_metacharacters_finds_nobody"
    ]
    a_read_that_gives_up_at_once_is_found_out NeverRetriesReads [
        "faults::a_read_recovers_from_one_503"
        "faults::a_read_recovers_from_one_cut_connection"
    ]
    a_picked_customer_is_found_out PicksACustomer [
        "get::a_user_of_several_customers_is_not_the_one_of_either"
        "get::several_customers_are_told_apart_from_one"
    ]
    a_customer_that_users_write_is_found_out ReadsWhatUsersWrite [
        "get::users_cannot_choose_their_customer"
    ]
    a_repeated_write_is_found_out RetriesWrites [
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::a_cut_connection_is_unknown_and_not_sent_twice"
        "writes::a_lost_answer_is_unknown_and_not_sent_twice"
    ]
    a_token_at_the_second_origin_is_found_out SendsTheTokenEverywhere [
        "origins::the_second_origin_gets_no_credential_of_the_first"
    ]
    a_password_that_is_replaced_at_once_is_found_out SetsPasswordsAtOnce [
        "mail::an_ordered_reset_leaves_the_password_as_it_is"
    ]
    swallowed_garbage_is_found_out SwallowsGarbage [
        "faults::a_null_is_an_invalid_response"
        "faults::an_empty_body_is_an_invalid_response"
        "faults::an_empty_object_is_an_invalid_response"
        "faults::an_endless_depth_is_an_invalid_response"
        "faults::garbage_is_an_invalid_response"
        "writes::an_empty_object_is_no_accepted_mail"
        "writes::garbage_is_unknown_and_not_sent_twice"
    ]
    an_empty_list_taken_for_nobody_is_found_out TakesEmptyForNobody [
        "controls::a_narrow_role_is_no_answer"
    ]
    a_refusal_taken_for_nobody_is_found_out TakesForbiddenForNobody [
        "controls::a_missing_role_is_no_answer"
        "controls::a_narrow_role_is_no_answer"
        "controls::a_read_only_role_is_no_answer"
    ]
    a_mail_failure_taken_for_done_is_found_out TakesMailFailureForDone [
        "mail::a_failing_mail_system_is_unavailable_and_unknown"
    ]
    an_outage_taken_for_nobody_is_found_out TakesOutageForNobody [
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
    a_null_taken_for_nobody_is_found_out TakesNullForNobody [
        "faults::a_null_is_an_invalid_response"
        "faults::an_empty_object_is_an_invalid_response"
    ]
    a_mail_that_was_not_accepted_is_found_out TakesRefusedMailsForDone [
        "mail::a_success_that_accepts_nothing_is_an_error"
        "writes::an_empty_object_is_no_accepted_mail"
    ]
    an_answer_that_is_trusted_is_found_out TrustsAnyAnswer [
        "faults::another_users_record_is_no_missing_user"
        "faults::the_answer_to_another_question_gets_no_mail"
        "faults::the_answer_to_another_question_is_no_answer"
    ]
    a_strange_404_taken_for_nobody_is_found_out TakesStrangersForNobody [
        "controls::a_wrong_realm_is_no_answer"
        "faults::a_gateways_404_in_json_is_no_missing_user"
        "faults::a_gateways_404_page_is_no_missing_user"
        "faults::at_first_a_gateways_404_in_json_is_no_missing_user"
        "faults::at_first_a_gateways_404_page_is_no_missing_user"
        "writes::a_gateways_refusal_is_never_the_answer"
    ]
    gateways_401_blamed_on_the_credential BlamesTheCredentialForGateways [
        "faults::a_gateways_401_page_is_no_refused_credential"
        "faults::a_gateways_bare_401_is_no_refused_credential"
        "faults::at_first_a_gateways_401_page_is_no_refused_credential"
        "faults::at_first_a_gateways_bare_401_is_no_refused_credential"
        "writes::a_gateways_refusal_is_never_the_answer"
    ]
    gateways_403_blamed_on_the_role BlamesTheRoleForGateways [
        "faults::a_gateways_403_in_json_is_no_missing_right"
        "faults::a_gateways_403_page_is_no_missing_right"
        "faults::at_first_a_gateways_403_in_json_is_no_missing_right"
        "faults::at_first_a_gateways_403_page_is_no_missing_right"
        "writes::a_gateways_refusal_is_never_the_answer"
    ]
    another_user_taken_for_nobody TakesAnotherUserForNobody [
        "faults::another_users_record_is_no_missing_user"
    ]
    another_address_that_verifies_is_found_out VerifiesAnyAddress [
        "get::another_address_does_not_verify_the_one_in_force"
    ]
    an_uncounted_attempt_is_found_out TellsNoAttempts [
        "recorder::every_attempt_is_counted"
    ]
    a_write_told_late_is_found_out TellsWritesLate [
        "recorder::a_write_is_told_before_it_leaves"
        "writes::a_gateways_refusal_is_never_the_answer"
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::a_cut_connection_is_unknown_and_not_sent_twice"
        "writes::a_lost_answer_is_unknown_and_not_sent_twice"
        "writes::a_rate_limited_write_did_not_run"
        "writes::an_empty_object_is_no_accepted_mail"
        "writes::garbage_is_unknown_and_not_sent_twice"
    ]
    a_write_wrongly_told_refused_is_found_out TellsWritesRefused [
        "mark::an_address_that_changes_meanwhile_is_set_back"
        "writes::a_500_is_unknown_and_not_sent_twice"
        "writes::a_503_is_unknown_and_not_sent_twice"
        "writes::an_empty_object_is_no_accepted_mail"
        "writes::garbage_is_unknown_and_not_sent_twice"
    ]
}
