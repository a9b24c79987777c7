// Every key changes something: what, and which test measures it. A key that is added fails here until both are known.
#include "config/config_text.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/option_value.hpp"
#include "understudy/config/options.hpp"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::internal::config;
using namespace understudy::test;

namespace {

struct effect {
  std::string_view key;     ///< "section.key"
  std::string_view change;  ///< what is different with another value, as the test sees it
  std::string_view test;    ///< its name
};

constexpr effect effects[] = {
    {"ldap.host", "the server that is connected to", "a_search_through_the_facade_finds_the_entry"},
    {"ldap.port", "the server that is connected to", "a_search_through_the_facade_finds_the_entry"},
    {"ldap.uri", "the server that is connected to, and how",
     "speaks_to_slapd_over_a_unix_socket_whatever_the_environment_says"},
    {"ldap.srv", "the servers are those that DNS lists",
     "scenario_43_dns_lists_the_servers_and_other_ones_when_all_of_them_are_down"},
    {"ldap.priority", "who serves while all are well", "priority_decides_who_serves_and_not_the_order"},
    {"ldap.weight", "each server's share of the load", "weights_share_the_load_of_a_level"},
    {"ldap.role", "who gets writes", "writes_pass_over_read_only_servers"},
    {"ldap.bind_dn", "the identity that the server sees",
     "scenario_39_other_credentials_take_over_one_connection_after_the_other"},
    {"ldap.password", "whether the bind is accepted", "a_wrong_password_ends_connecting_at_once"},
    {"ldap.password_file", "the password that is sent",
     "scenario_18_a_password_rotated_in_its_file_renews_connections_gradually"},
    {"ldap.password_command", "the password that is sent",
     "scenario_18_a_password_rotated_by_a_command_renews_connections_gradually"},
    {"ldap.bind_mechanism", "the bind that is sent, and who the server takes us for",
     "binds_as_its_certificate_when_there_is_no_bind_dn"},
    {"ldap.use_ssl", "the cipher that the connection has", "speaks_tls_with_slapd"},
    {"ldap.use_tls", "the cipher that the connection has", "speaks_tls_with_slapd"},
    {"ldap.validate_cert", "whether a certificate of nobody's is accepted", "verifies_nothing_when_told_so"},
    {"ldap.ca_cert_path", "whose certificates are accepted",
     "scenario_37_certificates_replaced_on_disk_are_picked_up_without_a_restart"},
    {"ldap.client_cert_path", "whether a server that demands one lets in",
     "shows_its_certificate_to_a_server_that_demands_one"},
    {"ldap.client_key_path", "whether a server that demands a certificate lets in",
     "shows_its_certificate_to_a_server_that_demands_one"},
    {"ldap.client_key_password", "whether the key can be read",
     "reads_an_encrypted_key_with_its_password_on_a_worker_and_asks_no_terminal"},
    {"ldap.client_key_password_file", "whether the key can be read",
     "reads_an_encrypted_key_with_its_password_on_a_worker_and_asks_no_terminal"},
    {"ldap.client_key_password_command", "whether the key can be read",
     "reads_an_encrypted_key_with_its_password_on_a_worker_and_asks_no_terminal"},
    {"ldap.crl_path", "whether a revoked certificate is accepted",
     "refuses_revoked_certificates_by_a_revocation_list_of_its_own"},
    {"ldap.tls_min_version", "whether an old protocol is spoken", "refuses_protocols_older_than_the_minimum"},
    {"ldap.timeout", "when an unanswered connect has failed", "scenario_04_alone_it_is_a_connection_timeout"},
    {"ldap.max_retries", "connects after a failed one", "max_retries_is_how_many_connects_follow_a_failed_one"},
    {"ldap.retry_delay", "the pause between connects", "retry_delay_is_the_pause_between_connects"},
    {"ldap.pool_size", "connections that are kept", "scenario_39_pools_are_resized_and_connections_kept"},
    {"ldap.max_pool_size", "connections at most", "scenario_39_pools_are_resized_and_connections_kept"},
    {"ldap.pool_timeout", "the wait until pool_timeout",
     "pool_timeout_of_the_servers_is_the_wait_where_they_have_their_own"},

    {"pool.min_connections", "connections that are opened and kept",
     "scenario_23_preloading_opens_the_minimum_without_being_asked"},
    {"pool.max_connections", "connections at most", "a_pool_with_nothing_free_says_so"},
    {"pool.timeout", "the wait until pool_timeout",
     "pool_timeout_is_the_longest_wait_for_a_connection_and_ends_as_pool_timeout"},
    {"pool.max_idle_time", "when idle connections are closed",
     "scenario_23_a_pool_shrinks_to_its_minimum_and_refills_it"},
    {"pool.health_check_interval", "how often alerts are logged, and idle connections checked",
     "monitoring_logs_alerts_in_the_background_until_stopped"},
    {"pool.enable_metrics", "whether get_metrics() counts", "without_metrics_nothing_is_counted"},
    {"pool.preload_connections", "connections before anybody asks",
     "scenario_23_preloading_opens_the_minimum_without_being_asked"},
    {"pool.enable_compression", "the bytes that a result takes on a link between nodes",
     "enable_compression_makes_results_smaller_where_both_sides_have_it"},
    {"pool.max_lifetime", "when connections are replaced",
     "scenario_25_old_connections_are_replaced_under_load_without_a_failed_operation"},
    {"pool.max_in_flight", "operations that one connection carries",
     "max_in_flight_is_how_many_operations_one_connection_carries"},
    {"pool.max_waiters", "who is refused with queue_full",
     "scenario_20_beyond_the_queue_callers_are_refused_at_once_and_the_rest_served_in_order"},
    {"pool.max_connecting", "connects at once",
     "scenario_13_two_hundred_connections_come_back_few_at_a_time_and_spread_out"},
    {"pool.leak_threshold", "when a lease is reported",
     "scenario_24_a_lease_held_too_long_is_reported_with_its_holder"},
    {"pool.bind_connections", "users' binds at once", "bind_connections_is_how_many_binds_of_users_run_at_once"},
    {"pool.use_pool", "connections for requests, and for a second lease",
     "without_a_pool_a_second_lease_gets_a_new_connection"},

    {"failover.failover_timeout", "when who waits goes to another server",
     "failover_timeout_is_the_longest_wait_at_one_server_while_there_are_others"},
    {"failover.auto_failback", "who serves after the preferred server is back", "the_log_of_a_way_back_by_hand"},
    {"failover.health_check_interval", "probes", "a_sole_server_is_probed_as_often_as_several"},
    {"failover.hold_down", "when a server that is back serves again",
     "scenario_01_a_continued_server_serves_after_the_hold_down_and_along_a_ramp"},
    {"failover.ramp", "its share until it has all of it",
     "scenario_01_a_continued_server_serves_after_the_hold_down_and_along_a_ramp"},
    {"failover.spill", "who serves what the preferred server has no room for",
     "spill_sends_to_the_next_level_what_a_busy_server_has_no_room_for"},

    {"breaker.circuit_breaker_threshold", "failures that open it", "new_settings_come_with_the_servers"},
    {"breaker.failure_rate", "the share of failures that opens it", "failure_rate_and_window_come_with_the_settings"},
    {"breaker.window", "what is forgotten of it", "failure_rate_and_window_come_with_the_settings"},
    {"breaker.slow_call", "when an unanswered operation is a failure",
     "slow_call_is_how_long_an_unanswered_operation_is_no_failure"},
    {"breaker.suspect_after", "when a silent server's requests go to the next",
     "suspect_after_is_how_long_a_silent_server_keeps_a_request_from_the_next"},
    {"breaker.open_base", "how long it is open at first",
     "open_base_and_open_cap_are_how_long_a_server_that_failed_gets_nothing"},
    {"breaker.open_cap", "how long it is open at last",
     "open_base_and_open_cap_are_how_long_a_server_that_failed_gets_nothing"},

    {"recovery.auto_reconnect", "connects after a loss",
     "auto_reconnect_off_connects_again_only_when_connect_is_called"},
    {"recovery.reconnect_attempts", "attempts of connect()",
     "reconnect_attempts_and_delay_are_attempts_of_connect_and_the_pause_between"},
    {"recovery.reconnect_delay", "the pause between them",
     "reconnect_attempts_and_delay_are_attempts_of_connect_and_the_pause_between"},
    {"recovery.auto_recovery", "the wait when all servers are down",
     "auto_recovery_off_refuses_at_once_when_all_servers_are_known_to_be_down"},
    {"recovery.recovery_attempts", "how often it is tried again",
     "auto_recovery_waits_when_all_servers_are_known_to_be_down_and_says_so"},
    {"recovery.recovery_delay", "the pause between",
     "auto_recovery_waits_when_all_servers_are_known_to_be_down_and_says_so"},
    {"recovery.credential_retry", "when a refused password is sent again",
     "credential_retry_is_how_long_a_refused_password_is_not_tried_again"},

    {"limits.operation_timeout", "when an unanswered request ends",
     "operation_timeout_is_the_deadline_of_a_request_that_sets_none"},
    {"limits.drain_timeout", "when a stop cuts off what runs", "a_removed_server_that_does_not_finish_is_cut_off"},
    {"limits.max_requests", "who is refused with queue_full", "requests_beyond_max_requests_are_refused_at_once"},
    {"limits.max_result_bytes", "results that are cut off", "cuts_off_results_that_are_too_large"},
    {"limits.max_pdu_bytes", "messages that end the connection",
     "scenario_30_garbage_ends_its_connection_and_no_other"},

    {"monitoring.enable_monitoring", "whether alerts are logged", "without_enable_monitoring_nothing_is_watched"},
    {"monitoring.max_connection_time", "alerts", "limits_come_from_the_settings"},
    {"monitoring.min_success_rate", "alerts", "limits_come_from_the_settings"},
    {"monitoring.max_pool_utilization", "alerts", "limits_come_from_the_settings"},

    {"log.level", "lines that are written",
     "scenario_39_limits_count_for_the_next_request_and_the_log_level_for_the_next_line"},
    {"log.format", "how lines are written", "lines_are_written_in_the_format_that_is_set"},
    {"log.file", "where lines go", "lines_of_the_level_and_above_are_written_to_the_file_in_order"},

    {"node.name", "what clients are told", "a_served_node_says_where_it_listens_and_who_comes_and_goes"},
    {"node.ca_cert_path", "whose certificates are let in", "scenario_47_strangers_at_its_port_leave_a_node_serving"},
    {"node.cert_path", "whether clients trust it", "a_served_node_says_where_it_listens_and_who_comes_and_goes"},
    {"node.key_path", "whether clients trust it", "a_served_node_says_where_it_listens_and_who_comes_and_goes"},
    {"node.crl_path", "whom it goes on speaking with",
     "scenario_39_a_node_that_was_dialled_and_is_not_trusted_any_more_is_left"},
    {"node.peers", "whom it speaks with", "three_nodes_under_load_stay_within_their_budget"},
    {"node.budget", "how many sockets the directory sees", "three_nodes_under_load_stay_within_their_budget"},
    {"node.listeners.address", "where others come in",
     "scenario_39_listeners_of_a_node_are_added_and_changed_and_nobody_is_cut_off"},
    {"node.listeners.permission", "what others may ask",
     "scenario_39_listeners_of_a_node_are_added_and_changed_and_nobody_is_cut_off"},
    {"node.listeners.ca_cert_path", "whose certificates are let in",
     "each_listener_has_its_permission_authorities_and_revocation_lists"},
    {"node.listeners.crl_path", "whose certificates are let in",
     "each_listener_has_its_permission_authorities_and_revocation_lists"},
    {"node.listeners.insecure_loopback", "whether there is TLS",
     "a_node_without_a_name_has_the_machines_and_plain_text_is_for_this_machine"},
    {"node.listeners.max_peers", "who is turned away",
     "each_listener_has_its_permission_authorities_and_revocation_lists"},

    {"authenticator.dn_templates", "the names that a login binds as",
     "templates_are_tried_in_turn_until_one_is_accepted"},
    {"authenticator.base", "where a user is searched for", "a_user_is_searched_for_below_base_by_the_filter"},
    {"authenticator.filter", "what finds a user", "a_user_is_searched_for_below_base_by_the_filter"},
    {"authenticator.group_base", "where groups are searched for", "groups_are_searched_below_group_base"},
    {"authenticator.groups", "what is asked for a user's groups", "each_strategy_asks_what_it_says"},
    {"authenticator.group_depth", "how far groups of groups are followed", "a_walk_ends_at_group_depth"},
    {"authenticator.max_groups", "groups that are found", "more_than_max_groups_are_left_out_and_that_is_said"},
    {"authenticator.timeout", "when a login that gets no answer ends", "a_login_ends_at_its_timeout"},
    {"authenticator.cache_ttl", "whether the directory is asked again",
     "a_login_is_remembered_for_cache_ttl_and_asked_for_again_after_it"},
    {"authenticator.cache_failure_ttl", "whether the directory is asked again about a wrong password",
     "a_refusal_is_remembered_for_cache_failure_ttl"},
    {"authenticator.cache_dn_ttl", "whether a login searches", "a_users_dn_is_known_for_cache_dn_ttl"},
    {"authenticator.referrals", "whether URIs are told", "referrals_are_counted_and_told_where_that_is_wanted"},
    {"authenticator.referral_hops", "how far referrals are followed", "referrals_are_followed_for_referral_hops"},
    {"authenticator.max_referrals", "how many of them are", "one_call_follows_max_referrals"},
    {"authenticator.cache_grace", "who gets in while no directory can be asked",
     "while_no_directory_can_be_asked_cache_grace_counts"},

    {"front_door.listeners.address", "where LDAP clients come in",
     "a_reload_opens_and_closes_listeners_and_keeps_who_is_in"},
    {"front_door.listeners.cert_path", "whether clients trust it",
     "start_tls_and_ldaps_show_the_listeners_certificate"},
    {"front_door.listeners.key_path", "whether clients trust it", "start_tls_and_ldaps_show_the_listeners_certificate"},
    {"front_door.listeners.use_ssl", "TLS from the first byte", "start_tls_and_ldaps_show_the_listeners_certificate"},
    {"front_door.listeners.allow_plaintext", "whether a password is taken in plain text",
     "passwords_in_plain_text_are_taken_from_this_machine_alone"},
    {"front_door.listeners.identity", "what who has not bound may read",
     "everybody_reads_as_the_service_at_and_below_the_bases_alone"},
    {"front_door.listeners.bases", "what who has not bound may read",
     "everybody_reads_as_the_service_at_and_below_the_bases_alone"},
    {"front_door.listeners.allow_anonymous", "what who has not bound may ask",
     "who_has_not_bound_reads_the_root_dse_unless_more_is_allowed"},
    {"front_door.listeners.allow_from", "who may come in", "clients_come_in_from_allow_from_alone"},
    {"front_door.listeners.proxy_protocol_from", "by which address a client is known",
     "a_proxy_names_its_clients_before_anything_else"},
    {"front_door.listeners.log_clients", "a line of the log when a client has gone",
     "a_client_that_goes_is_logged_where_that_is_asked_for"},
    {"front_door.listeners.max_clients", "who is turned away", "more_clients_than_max_clients_are_turned_away"},
    {"front_door.listeners.max_pending", "when a client's next request is read",
     "a_client_has_max_pending_operations_at_once"},
    {"front_door.listeners.idle_timeout", "when a silent client is sent away",
     "a_client_that_says_nothing_for_idle_timeout_is_sent_away"},
    {"front_door.listeners.paging_hold", "how long the next page can be asked for",
     "a_paged_search_keeps_its_connection_for_paging_hold"},

    {"http.listen", "where health, metrics and the console are", "the_endpoint_answers_health_metrics_and_state"},
    {"http.cert_path", "whether clients trust it", "the_endpoint_shows_its_certificate_and_asks_for_one"},
    {"http.key_path", "whether clients trust it", "the_endpoint_shows_its_certificate_and_asks_for_one"},
    {"http.ca_cert_path", "whose certificates are let in", "the_endpoint_shows_its_certificate_and_asks_for_one"},
    {"http.hosts", "the names by which it answers", "a_host_that_is_not_ours_is_refused_unless_hosts_lists_it"},
    {"http.admin_token", "who can give orders", "orders_by_http_need_the_admin_token"},
    {"http.admin_token_file", "who can give orders", "the_token_may_come_from_a_file_or_a_command"},
    {"http.admin_token_command", "who can give orders", "the_token_may_come_from_a_file_or_a_command"},
    {"front_door.listeners.client_ca_cert_path", "whose certificates clients can bind with",
     "clients_bind_with_the_certificates_of_the_listeners_authorities"},
    {"front_door.listeners.write_coherence", "where a client reads after it has written",
     "after_a_write_reads_prefer_the_server_that_took_it_for_write_coherence"},
};

std::string name_of(const option& each) { return std::string{each.section} + '.' + std::string{each.key}; }

/// A legal value that is not `now`, as TOML.
std::string another_value(const option& each, const option_value& now, const std::filesystem::path& file) {
  switch (each.type) {
    case option_type::boolean:
      return std::get<bool>(now) ? "false" : "true";
    case option_type::integer:
      return std::to_string(std::get<std::int64_t>(now) +
                            (static_cast<double>(std::get<std::int64_t>(now)) < each.most ? 1 : -1));
    case option_type::real:
      return "12.5";
    case option_type::span:
      return each.unit == "ms" ? "77" : "0.777";
    case option_type::choice:
      return '"' + std::string{each.choices[std::get<std::int64_t>(now) == 0 ? 1 : 0]} + '"';
    case option_type::words:
      return "[\"/bin/echo\", \"x\"]";
    case option_type::texts:
      if (each.key == "allow_from" || each.key == "proxy_protocol_from") return "[\"10.0.0.0/8\"]";
      if (each.key == "dn_templates") return "[\"uid={user},dc=other\"]";
      return "[\"other:1\"]";
    case option_type::path:
      return '"' + file.string() + '"';
    case option_type::text:
    case option_type::secret_text:
      break;
  }
  if (each.key == "uri") return "\"ldap://other\"";
  if (each.key == "filter") return "\"(cn={user})\"";
  if (each.key == "address") return "\"127.0.0.1:4101\"";
  return "\"other\"";
}

/// What each key needs beside it to be legal; only the key itself is looked at.
std::string beside(const option& each) {
  if (each.key == "uri" || each.key == "srv" || each.key == "host") return "";
  std::string text = "host = \"a\"\n";
  if (each.key.starts_with("password")) text += "bind_dn = \"cn=a\"\n";
  return text;
}

option_value value_in(const option& each, const settings& all) {
  if (const auto* field = std::get_if<server_field>(&each.field)) return field->get(all.servers.front());
  if (const auto* field = std::get_if<listener_field>(&each.field))
    return all.node.listeners.empty() ? default_of(each) : field->get(all.node.listeners.front());
  if (const auto* field = std::get_if<client_listener_field>(&each.field))
    return all.front_door.listeners.empty() ? default_of(each) : field->get(all.front_door.listeners.front());
  return std::get<global_field>(each.field).get(all);
}

/// The file that has `line` in the section of the key; without a line: what it is compared with.
std::string file_for(const option& each, const std::string& line) {
  if (each.section == server_section) {
    const auto others = beside(each);
    return "[ldap]\n" + (others.empty() && line.empty() ? "host = \"a\"\n" : others) + line;
  }
  if (each.section == listener_section || each.section == client_listener_section) {
    const auto table = "[ldap]\nhost = \"a\"\n[[" + std::string{each.section} + "]]\n";
    return table + (each.key == "address" && !line.empty() ? "" : "address = \"127.0.0.1:4100\"\n") + line;
  }
  return file_with(each, line);
}

/// Of the helpers that a test in that folder includes: their text.
std::string helpers_of(const std::string& text, const std::filesystem::path& folder) {
  constexpr std::string_view include = "#include \"";
  std::string found;
  for (auto at = text.find(include); at != std::string::npos; at = text.find(include, at + 1)) {
    const auto begin = at + include.size();
    const auto name = text.substr(begin, text.find('"', begin) - begin);
    for (auto file : {folder / name, folder.parent_path() / name})
      for (const auto* const end : {".hpp", ".cpp"})
        if (std::filesystem::exists(file.replace_extension(end))) found += read_file(file);
  }
  return found;
}

/// Of the cases of all tests, by name: their text, that of the file beside its cases, and that of its helpers.
std::map<std::string, std::string> cases() {
  std::map<std::string, std::string> found;
  constexpr std::string_view macro = "_TEST_CASE(", last_line = "\n}\n";
  for (const auto& at :
       std::filesystem::recursive_directory_iterator(std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "tests")) {
    if (at.path().extension() != ".cpp") continue;
    const auto text = read_file(at.path());
    std::map<std::string, std::string> of_file;
    auto beside = helpers_of(text, at.path().parent_path());
    std::size_t rest = 0;
    for (auto from = text.find(macro); from != std::string::npos; from = text.find(macro, rest)) {
      const auto begin = from + macro.size();
      const auto end = std::min(text.find(last_line, begin), text.size());
      of_file.emplace(text.substr(begin, text.find_first_of(",)", begin) - begin), text.substr(begin, end - begin));
      beside += text.substr(rest, from - rest);
      rest = end;
    }
    beside += text.substr(rest);
    for (const auto& [name, body] : of_file) found.emplace(name, body + beside);
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_key_has_an_effect_that_a_test_measures) {
  std::set<std::string> listed;
  const auto known = cases();
  for (const auto& each : effects) {
    const auto test = known.find(std::string{each.test});
    BOOST_TEST(listed.emplace(each.key).second, each.key << " is listed twice");
    BOOST_TEST_REQUIRE((test != known.end()), each.test << " is no test");
    const auto key = each.key.substr(each.key.rfind('.') + 1);
    BOOST_TEST(test->second.find(key) != std::string::npos, each.test << " does not set " << key);
  }
  for (const auto& each : options())
    BOOST_TEST(listed.erase(name_of(each)) == 1U, name_of(each) << " has no effect that is known");
  for (const auto& left : listed) BOOST_ERROR(left + " is no key");
}

BOOST_AUTO_TEST_CASE(every_key_in_a_file_changes_its_setting_and_no_other) {
  temporary_folder folder;
  const auto file = folder.write("some", "some");
  for (const auto& each : options()) {
    const auto legal = from_toml(file_for(each, ""));
    BOOST_TEST_REQUIRE(legal.value.servers.size() == 1U);
    const auto before = value_in(each, legal.value);
    const auto line = std::string{each.key} + " = " + another_value(each, before, file) + '\n';
    // The file may break a rule about two keys together; it is read all the same.
    const auto with = from_toml(file_for(each, line));
    BOOST_TEST_REQUIRE(with.value.servers.size() == 1U, name_of(each));
    BOOST_TEST((value_in(each, with.value) != before), name_of(each) << " is read and changes nothing");
    // These say the same thing in two ways, or follow each other.
    const std::set<std::string_view> entangled{
        "host",          "port",    "uri",         "srv", "use_ssl", "min_connections", "pool_size", "max_connections",
        "max_pool_size", "timeout", "pool_timeout"};
    for (const auto& other : options()) {
      if (name_of(other) == name_of(each) || entangled.count(other.key) > 0) continue;
      BOOST_TEST((value_in(other, with.value) == value_in(other, legal.value)), name_of(each)
                                                                                    << " changes " << name_of(other));
    }
  }
}
