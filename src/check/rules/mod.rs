//! The table of rules. A rule is one file with its page and, unless an earlier stage finds it,
//! its check. To add one: the file, its `mod` line and its line in [`TABLE`], both by code.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;

mod example;

// P01 syntax and structure
mod p0101_clause_form;
mod p0102_unclosed_block;
mod p0103_spare_brace;
mod p0104_missing_brace;
mod p0105_unclosed_string;
mod p0106_unknown_word;
mod p0107_reserved_name;
mod p0108_wrong_block;
mod p0109_repeated_clause;
mod p0110_block_cannot_work;
mod p0111_language_version;
mod p0112_look_alike_letters;
// P02 names
mod p0201_unknown_name;
mod p0202_name_of_the_wrong_kind;
mod p0203_ambiguous_name;
mod p0204_declared_twice;
mod p0205_not_in_the_facts;
mod p0206_pattern_matches_nothing;
mod p0207_import_unusable;
mod p0208_never_used;
mod p0209_undefined_variable;
mod p0210_name_too_deep;
// P03 values and units
mod p0301_unknown_unit;
mod p0302_unit_missing;
mod p0303_ambiguous_unit;
mod p0304_not_a_time_of_day;
mod p0305_wrong_dimension;
mod p0306_calendar_unit;
mod p0307_value_out_of_range;
mod p0308_instant_without_zone;
mod p0309_unknown_time_zone;
mod p0310_half_that_never_acts;
mod p0311_parameter_of_another_type;
// P04 schedules and windows
mod p0401_empty_window;
mod p0402_never_in_window;
mod p0403_outside_window;
mod p0404_window_too_short;
mod p0405_window_nearly_full;
mod p0406_runs_overlap;
mod p0407_next_run_before_last_ends;
mod p0408_daylight_saving;
mod p0409_too_many_starts;
mod p0410_copy_deadline;
mod p0411_copy_after_next_run;
// P05 coverage
mod p0501_never_backed_up;
mod p0502_absent_from_the_plan;
mod p0503_base_left_out;
mod p0504_incremental_without_full;
mod p0505_only_logical;
mod p0506_group_not_closed;
mod p0507_not_protected_by_the_log;
mod p0508_engine_cannot;
mod p0509_setting_stands_in_the_way;
mod p0510_globals_left_out;
mod p0511_covered_twice_alike;
mod p0512_change_cannot_be_told;
// P06 promises
mod p0601_no_log_archive;
mod p0602_rpo_broken_by_log_interval;
mod p0603_rto_broken;
mod p0604_too_few_copies;
mod p0605_copies_share_the_loss;
mod p0606_copies_share_failure_domain;
mod p0607_no_offline_copy;
mod p0608_log_retention_gap;
mod p0609_data_here_log_elsewhere;
mod p0610_rpo_without_archive;
mod p0611_cannot_prove;
mod p0612_no_objectives;
mod p0613_log_outgrows_space;
mod p0614_stalled_archive;
mod p0615_recovery_window_kept_nowhere;
mod p0616_one_chain_one_device;
mod p0617_mixed_age;
mod p0618_archive_slower_than_log;
// P07 retention and rotation
mod p0701_retention_shorter_than_chain;
mod p0702_expires_before_copied;
mod p0703_device_too_small;
mod p0704_device_nearly_full;
mod p0705_nothing_leaves_the_site;
mod p0706_volumes_return_too_soon;
mod p0707_too_few_volumes;
mod p0708_tier_without_runs;
mod p0709_long_kept_without_log;
mod p0710_no_retention;
mod p0711_two_retentions;
mod p0712_retention_below_time_to_notice;
// P08 devices and graph
mod p0801_device_its_own_source;
mod p0802_circle_of_jobs;
mod p0803_copy_on_the_disk_it_protects;
mod p0804_device_cannot;
mod p0805_more_writers_than_drives;
mod p0806_throttle_without_effect;
mod p0807_parallel_on_one_disk;
mod p0808_link_too_thin;
mod p0809_plan_and_inventory_disagree;
mod p0810_compressed_after_encryption;
// P09 recovery, drills, switchover
mod p0901_no_such_copy;
mod p0902_hazardous_relocation;
mod p0903_relocation_does_not_fit;
mod p0904_scratch_is_live;
mod p0905_part_to_earlier_time;
mod p0906_promise_without_scenario;
mod p0907_cannot_skip;
mod p0908_no_drill;
mod p0909_device_never_exercised;
mod p0910_drill_proves_nothing;
mod p0911_probe_writes;
mod p0912_trivial_probe;
mod p0913_scenario_never_drilled;
mod p0914_no_fencing;
mod p0915_switchover_loses_more_than_rpo;
mod p0916_switched_and_uncovered;
mod p0917_destructive_without_approval;
mod p0918_no_time_limit;
mod p0919_target_before_window;
mod p0920_step_order;
mod p0921_does_not_compile;
mod p0922_needs_what_is_lost;
mod p1001_key_beside_its_ciphertext;
// P10 keys and secrets
mod p1002_key_lost_with_site;
mod p1003_secret_in_clear_text;
mod p1004_unencrypted_off_site;
mod p1005_key_older_than_policy;
mod p1006_key_must_outlive_its_copies;
mod p1007_one_credential_empties_all;
// P11 inventory, environments, fleet
mod p1101_unreadable_inventory;
mod p1102_duplicated_key;
mod p1103_number_where_text_is_meant;
mod p1104_parameter_without_value;
mod p1105_loop_ran_over_too_few_or_many;
mod p1106_two_policies;
mod p1107_service_in_no_plan;
mod p1108_facts_are_old;
mod p1109_assumption_contradicted;
mod p1110_override_hits_nothing;
// P12 hygiene
pub(in crate::check) mod p1201_allowance_unused;
pub(in crate::check) mod p1202_allowance_expired;
pub(in crate::check) mod p1203_allowance_not_permitted;
pub(in crate::check) mod p1204_not_formatted;
mod p1205_older_spelling;
pub(in crate::check) mod p1206_allowance_ends_soon;

/// What a rule does with one environment of a plan.
pub(in crate::check) type Check = fn(&Context<'_>, &mut Found);

struct Row {
    rule: &'static Rule,
    check: Option<Check>,
}

/// A rule whose findings are made by an earlier stage, or by `check` itself.
const fn page(rule: &'static Rule) -> Row {
    Row { rule, check: None }
}

/// A rule with a check of its own.
const fn rule(rule: &'static Rule, check: Check) -> Row {
    let check = Some(check);
    Row { rule, check }
}

/// All rules by code.
const TABLE: &[Row] = &[
    // P01 syntax and structure: found by `syntax`
    page(&p0101_clause_form::RULE),
    page(&p0102_unclosed_block::RULE),
    page(&p0103_spare_brace::RULE),
    page(&p0104_missing_brace::RULE),
    page(&p0105_unclosed_string::RULE),
    page(&p0106_unknown_word::RULE),
    page(&p0107_reserved_name::RULE),
    page(&p0108_wrong_block::RULE),
    page(&p0109_repeated_clause::RULE),
    page(&p0110_block_cannot_work::RULE),
    page(&p0111_language_version::RULE),
    page(&p0112_look_alike_letters::RULE),
    // P02 names: found by `resolve`
    page(&p0201_unknown_name::RULE),
    page(&p0202_name_of_the_wrong_kind::RULE),
    page(&p0203_ambiguous_name::RULE),
    page(&p0204_declared_twice::RULE),
    rule(&p0205_not_in_the_facts::RULE, p0205_not_in_the_facts::check),
    rule(
        &p0206_pattern_matches_nothing::RULE,
        p0206_pattern_matches_nothing::check,
    ),
    page(&p0207_import_unusable::RULE),
    page(&p0208_never_used::RULE),
    page(&p0209_undefined_variable::RULE),
    page(&p0210_name_too_deep::RULE),
    // P03 values and units: found by `resolve`
    page(&p0301_unknown_unit::RULE),
    page(&p0302_unit_missing::RULE),
    page(&p0303_ambiguous_unit::RULE),
    page(&p0304_not_a_time_of_day::RULE),
    page(&p0305_wrong_dimension::RULE),
    page(&p0306_calendar_unit::RULE),
    page(&p0307_value_out_of_range::RULE),
    page(&p0308_instant_without_zone::RULE),
    page(&p0309_unknown_time_zone::RULE),
    page(&p0310_half_that_never_acts::RULE),
    page(&p0311_parameter_of_another_type::RULE),
    // P04 schedules and windows
    rule(&p0401_empty_window::RULE, p0401_empty_window::check),
    rule(&p0402_never_in_window::RULE, p0402_never_in_window::check),
    rule(&p0403_outside_window::RULE, p0403_outside_window::check),
    rule(&p0404_window_too_short::RULE, p0404_window_too_short::check),
    rule(
        &p0405_window_nearly_full::RULE,
        p0405_window_nearly_full::check,
    ),
    rule(&p0406_runs_overlap::RULE, p0406_runs_overlap::check),
    rule(
        &p0407_next_run_before_last_ends::RULE,
        p0407_next_run_before_last_ends::check,
    ),
    rule(&p0408_daylight_saving::RULE, p0408_daylight_saving::check),
    rule(&p0409_too_many_starts::RULE, p0409_too_many_starts::check),
    rule(&p0410_copy_deadline::RULE, p0410_copy_deadline::check),
    rule(
        &p0411_copy_after_next_run::RULE,
        p0411_copy_after_next_run::check,
    ),
    // P05 coverage
    rule(&p0501_never_backed_up::RULE, p0501_never_backed_up::check),
    rule(
        &p0502_absent_from_the_plan::RULE,
        p0502_absent_from_the_plan::check,
    ),
    rule(&p0503_base_left_out::RULE, p0503_base_left_out::check),
    rule(
        &p0504_incremental_without_full::RULE,
        p0504_incremental_without_full::check,
    ),
    rule(&p0505_only_logical::RULE, p0505_only_logical::check),
    rule(&p0506_group_not_closed::RULE, p0506_group_not_closed::check),
    rule(
        &p0507_not_protected_by_the_log::RULE,
        p0507_not_protected_by_the_log::check,
    ),
    rule(&p0508_engine_cannot::RULE, p0508_engine_cannot::check),
    rule(
        &p0509_setting_stands_in_the_way::RULE,
        p0509_setting_stands_in_the_way::check,
    ),
    rule(&p0510_globals_left_out::RULE, p0510_globals_left_out::check),
    rule(
        &p0511_covered_twice_alike::RULE,
        p0511_covered_twice_alike::check,
    ),
    rule(
        &p0512_change_cannot_be_told::RULE,
        p0512_change_cannot_be_told::check,
    ),
    // P06 promises
    rule(&p0601_no_log_archive::RULE, p0601_no_log_archive::check),
    rule(
        &p0602_rpo_broken_by_log_interval::RULE,
        p0602_rpo_broken_by_log_interval::check,
    ),
    rule(&p0603_rto_broken::RULE, p0603_rto_broken::check),
    rule(&p0604_too_few_copies::RULE, p0604_too_few_copies::check),
    rule(
        &p0605_copies_share_the_loss::RULE,
        p0605_copies_share_the_loss::check,
    ),
    rule(
        &p0606_copies_share_failure_domain::RULE,
        p0606_copies_share_failure_domain::check,
    ),
    rule(&p0607_no_offline_copy::RULE, p0607_no_offline_copy::check),
    rule(
        &p0608_log_retention_gap::RULE,
        p0608_log_retention_gap::check,
    ),
    rule(
        &p0609_data_here_log_elsewhere::RULE,
        p0609_data_here_log_elsewhere::check,
    ),
    rule(
        &p0610_rpo_without_archive::RULE,
        p0610_rpo_without_archive::check,
    ),
    rule(&p0611_cannot_prove::RULE, p0611_cannot_prove::check),
    rule(&p0612_no_objectives::RULE, p0612_no_objectives::check),
    // P07 retention and rotation
    rule(
        &p0613_log_outgrows_space::RULE,
        p0613_log_outgrows_space::check,
    ),
    rule(&p0614_stalled_archive::RULE, p0614_stalled_archive::check),
    rule(
        &p0615_recovery_window_kept_nowhere::RULE,
        p0615_recovery_window_kept_nowhere::check,
    ),
    rule(
        &p0616_one_chain_one_device::RULE,
        p0616_one_chain_one_device::check,
    ),
    rule(&p0617_mixed_age::RULE, p0617_mixed_age::check),
    rule(
        &p0618_archive_slower_than_log::RULE,
        p0618_archive_slower_than_log::check,
    ),
    rule(
        &p0701_retention_shorter_than_chain::RULE,
        p0701_retention_shorter_than_chain::check,
    ),
    rule(
        &p0702_expires_before_copied::RULE,
        p0702_expires_before_copied::check,
    ),
    rule(&p0703_device_too_small::RULE, p0703_device_too_small::check),
    rule(
        &p0704_device_nearly_full::RULE,
        p0704_device_nearly_full::check,
    ),
    rule(
        &p0705_nothing_leaves_the_site::RULE,
        p0705_nothing_leaves_the_site::check,
    ),
    rule(
        &p0706_volumes_return_too_soon::RULE,
        p0706_volumes_return_too_soon::check,
    ),
    rule(&p0707_too_few_volumes::RULE, p0707_too_few_volumes::check),
    rule(
        &p0708_tier_without_runs::RULE,
        p0708_tier_without_runs::check,
    ),
    rule(
        &p0709_long_kept_without_log::RULE,
        p0709_long_kept_without_log::check,
    ),
    rule(&p0710_no_retention::RULE, p0710_no_retention::check),
    rule(&p0711_two_retentions::RULE, p0711_two_retentions::check),
    // P08 devices and graph
    rule(
        &p0712_retention_below_time_to_notice::RULE,
        p0712_retention_below_time_to_notice::check,
    ),
    rule(
        &p0801_device_its_own_source::RULE,
        p0801_device_its_own_source::check,
    ),
    rule(&p0802_circle_of_jobs::RULE, p0802_circle_of_jobs::check),
    rule(
        &p0803_copy_on_the_disk_it_protects::RULE,
        p0803_copy_on_the_disk_it_protects::check,
    ),
    rule(&p0804_device_cannot::RULE, p0804_device_cannot::check),
    rule(
        &p0805_more_writers_than_drives::RULE,
        p0805_more_writers_than_drives::check,
    ),
    rule(
        &p0806_throttle_without_effect::RULE,
        p0806_throttle_without_effect::check,
    ),
    rule(
        &p0807_parallel_on_one_disk::RULE,
        p0807_parallel_on_one_disk::check,
    ),
    rule(&p0808_link_too_thin::RULE, p0808_link_too_thin::check),
    rule(
        &p0809_plan_and_inventory_disagree::RULE,
        p0809_plan_and_inventory_disagree::check,
    ),
    rule(
        &p0810_compressed_after_encryption::RULE,
        p0810_compressed_after_encryption::check,
    ),
    // P09 recovery, drills, switchover
    rule(&p0901_no_such_copy::RULE, p0901_no_such_copy::check),
    rule(
        &p0902_hazardous_relocation::RULE,
        p0902_hazardous_relocation::check,
    ),
    rule(
        &p0903_relocation_does_not_fit::RULE,
        p0903_relocation_does_not_fit::check,
    ),
    rule(&p0904_scratch_is_live::RULE, p0904_scratch_is_live::check),
    rule(
        &p0905_part_to_earlier_time::RULE,
        p0905_part_to_earlier_time::check,
    ),
    rule(
        &p0906_promise_without_scenario::RULE,
        p0906_promise_without_scenario::check,
    ),
    rule(&p0907_cannot_skip::RULE, p0907_cannot_skip::check),
    rule(&p0908_no_drill::RULE, p0908_no_drill::check),
    rule(
        &p0909_device_never_exercised::RULE,
        p0909_device_never_exercised::check,
    ),
    rule(
        &p0910_drill_proves_nothing::RULE,
        p0910_drill_proves_nothing::check,
    ),
    rule(&p0911_probe_writes::RULE, p0911_probe_writes::check),
    rule(&p0912_trivial_probe::RULE, p0912_trivial_probe::check),
    rule(
        &p0913_scenario_never_drilled::RULE,
        p0913_scenario_never_drilled::check,
    ),
    rule(&p0914_no_fencing::RULE, p0914_no_fencing::check),
    rule(
        &p0915_switchover_loses_more_than_rpo::RULE,
        p0915_switchover_loses_more_than_rpo::check,
    ),
    rule(
        &p0916_switched_and_uncovered::RULE,
        p0916_switched_and_uncovered::check,
    ),
    rule(
        &p0917_destructive_without_approval::RULE,
        p0917_destructive_without_approval::check,
    ),
    rule(&p0918_no_time_limit::RULE, p0918_no_time_limit::check),
    rule(
        &p0919_target_before_window::RULE,
        p0919_target_before_window::check,
    ),
    rule(&p0920_step_order::RULE, p0920_step_order::check),
    rule(&p0921_does_not_compile::RULE, p0921_does_not_compile::check),
    rule(
        &p0922_needs_what_is_lost::RULE,
        p0922_needs_what_is_lost::check,
    ),
    // P10 keys and secrets
    rule(
        &p1001_key_beside_its_ciphertext::RULE,
        p1001_key_beside_its_ciphertext::check,
    ),
    rule(
        &p1002_key_lost_with_site::RULE,
        p1002_key_lost_with_site::check,
    ),
    page(&p1003_secret_in_clear_text::RULE),
    rule(
        &p1004_unencrypted_off_site::RULE,
        p1004_unencrypted_off_site::check,
    ),
    rule(
        &p1005_key_older_than_policy::RULE,
        p1005_key_older_than_policy::check,
    ),
    rule(
        &p1006_key_must_outlive_its_copies::RULE,
        p1006_key_must_outlive_its_copies::check,
    ),
    rule(
        &p1007_one_credential_empties_all::RULE,
        p1007_one_credential_empties_all::check,
    ),
    // P11 inventory, environments, fleet
    page(&p1101_unreadable_inventory::RULE),
    page(&p1102_duplicated_key::RULE),
    page(&p1103_number_where_text_is_meant::RULE),
    page(&p1104_parameter_without_value::RULE),
    page(&p1105_loop_ran_over_too_few_or_many::RULE),
    rule(&p1106_two_policies::RULE, p1106_two_policies::check),
    rule(
        &p1107_service_in_no_plan::RULE,
        p1107_service_in_no_plan::check,
    ),
    rule(&p1108_facts_are_old::RULE, p1108_facts_are_old::check),
    rule(
        &p1109_assumption_contradicted::RULE,
        p1109_assumption_contradicted::check,
    ),
    page(&p1110_override_hits_nothing::RULE),
    // P12 hygiene
    page(&p1201_allowance_unused::RULE),
    page(&p1202_allowance_expired::RULE),
    page(&p1203_allowance_not_permitted::RULE),
    page(&p1204_not_formatted::RULE),
    page(&p1205_older_spelling::RULE),
    page(&p1206_allowance_ends_soon::RULE),
];

/// The pages of all rules, sorted by code.
pub static RULES: &[&Rule] = &PAGES;

static PAGES: [&Rule; TABLE.len()] = {
    let mut pages = [TABLE[0].rule; TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        pages[at] = TABLE[at].rule;
        at += 1;
    }
    pages
};

/// The checks of all rules that have one, by code.
pub(in crate::check) fn checks() -> impl Iterator<Item = Check> {
    TABLE.iter().filter_map(|row| row.check)
}
