// Each struct is listed once, by a function that names its fields by number: writing and reading follow that list.
#include "understudy/actors/node/snapshot_fields.hpp"

#include "understudy/actors/node/failure_fields.hpp"

namespace understudy::internal {
namespace {

/// Writes each field of the list.
class listed_writer {
 public:
  explicit listed_writer(field_writer to) noexcept : to_(to) {}

  template <class T>
  void operator()(std::uint8_t number, const T& value) {
    write(number, value);
  }

 private:
  void write(std::uint8_t n, const std::string& v) { to_.text(n, v); }
  /// Also false: some begin as true.
  void write(std::uint8_t n, bool v) { to_.always(n, v ? 1 : 0); }
  void write(std::uint8_t n, duration v) { to_.span(n, v); }
  void write(std::uint8_t n, const std::optional<wall_time>& v) {
    if (v) to_.moment(n, *v);
  }
  void write(std::uint8_t n, const std::optional<milliseconds>& v) {
    if (v) to_.always(n, v->count());
  }
  void write(std::uint8_t n, const std::optional<int>& v) {
    if (v) to_.always(n, *v);
  }
  void write(std::uint8_t n, const failure_ptr& v) {
    if (v) to_.group(n, [&](field_writer& in) { write_failure(*v, in); });
  }
  template <class T>
  void write(std::uint8_t n, const std::vector<T>& v) {
    for (const auto& item : v) write_item(n, item);
  }
  template <class T>
  void write(std::uint8_t n, const T& v) {
    if constexpr (std::is_enum_v<T>)
      to_.always(n, static_cast<std::int64_t>(v));  // some do not begin with the first
    else if constexpr (std::is_integral_v<T>)
      to_.number(n, static_cast<std::int64_t>(v));
    else
      write_item(n, v);
  }
  /// Also one that is empty, or 0.
  template <class T>
  void write_item(std::uint8_t n, const T& v) {
    if constexpr (std::is_integral_v<T>) {
      to_.always(n, static_cast<std::int64_t>(v));
    } else {
      to_.group(n, [&](field_writer& inside) {
        listed_writer in{inside};
        list_fields(in, v);
      });
    }
  }

  field_writer to_;
};

/// Reads the field in hand, when it is the one that the list is at.
class listed_reader {
 public:
  explicit listed_reader(field_reader& from) noexcept : from_(from) {}

  template <class T>
  void operator()(std::uint8_t number, T& value) {
    if (number == from_.number()) read(value);
  }

 private:
  void read(std::string& v) { v = from_.text(); }
  void read(bool& v) { v = from_.flag(); }
  void read(duration& v) { v = from_.span(); }
  void read(std::optional<wall_time>& v) { v = from_.moment(); }
  void read(std::optional<milliseconds>& v) { v = from_.limit(); }
  void read(std::optional<int>& v) { v = static_cast<int>(from_.integer(INT32_MIN, INT32_MAX)); }
  void read(failure_ptr& v) {
    failure made;
    from_.note(read_failure(from_.content(), made));
    v = make_failure(std::move(made));
  }
  void read(server_state& v) { v = from_.one_up_to(server_state::suspended); }
  void read(breaker_state& v) { v = from_.one_up_to(breaker_state::suspended); }
  void read(client_standing& v) { v = from_.one_up_to(client_standing::proxied); }
  void read(result_class& v) { v = from_.one_up_to(result_class::abandoned); }
  void read(stage& v) { v = from_.one_up_to(stage::queue); }
  void read(connection_kind& v) { v = from_.one_up_to(connection_kind::probe); }
  template <class T>
  void read(std::vector<T>& v) {
    read(from_.one_more(v));
  }
  template <class T>
  void read(T& v) {
    if constexpr (std::is_integral_v<T>) {
      constexpr auto most = sizeof(T) == 8 ? INT64_MAX : static_cast<std::int64_t>(std::numeric_limits<T>::max());
      v = static_cast<T>(from_.integer(std::is_signed_v<T> ? INT32_MIN : 0, most));
    } else {
      from_.note(read_all(from_.content(), v));
    }
  }

 public:
  template <class T>
  static bool read_all(std::string_view bytes, T& into) {
    field_reader fields{bytes};
    listed_reader reader{fields};
    while (fields.next()) list_fields(reader, into);
    return fields.good();
  }

 private:
  field_reader& from_;
};

// The lists. A number is never given to something else; new ones go to the end.

template <class T, class Of>
concept like = std::is_same_v<std::remove_const_t<T>, Of>;

template <class List>
void list_fields(List& list, like<pool_counts> auto& p) {
  list_pool_counts(list, p);
}

template <class List>
void list_fields(List& list, like<pool_snapshot> auto& p) {
  list(0, p.now);
  list(1, p.min_connections);
  list(2, p.max_connections);
  list(3, p.leased);
  list(4, p.acquired);
  list(5, p.released);
  list(6, p.dispatched);
  list(7, p.completed);
  list(8, p.fresh);
  list(9, p.opened);
  list(10, p.closed);
  list(11, p.connect_failures);
  list(12, p.timeouts);
  list(13, p.refused);
  list(14, p.leaks);
  list(15, p.acquisition_time);
  list(16, p.growth_limit);
  list(17, p.last_error);
  list(18, p.last_error_at);
  list(19, p.longest_wait);
}

template <class List>
void list_fields(List& list, like<budget_snapshot> auto& b) {
  list(0, b.total);
  list(1, b.share);
  list(2, b.lent);
  list(3, b.borrowed);
  list(4, b.opened);
  list(5, b.wanted);
}

template <class List>
void list_fields(List& list, like<peer_snapshot> auto& p) {
  list(0, p.name);
  list(1, p.connected);
  list(2, p.since);
  list(3, p.last_error);
  list(4, p.last_error_at);
  list(5, p.link);
}

template <class List>
void list_fields(List& list, like<probe_step> auto& s) {
  list(0, s.what);
  list(1, s.took);
  list(2, s.ok);
}

template <class List>
void list_fields(List& list, like<check_snapshot> auto& c) {
  list(0, c.at);
  list(1, c.ok);
  list(2, c.took);
  list(3, c.steps);
  list(4, c.error);
}

template <class List>
void list_fields(List& list, like<server_snapshot> auto& s) {
  list(0, s.id);
  list(1, s.host);
  list(2, s.port);
  list(3, s.priority);
  list(4, s.read_only);
  list(5, s.state);
  list(6, s.breaker);
  list(7, s.last_error);
  list(8, s.last_error_at);
  list(9, s.retry_after);
  list(10, s.latency);
  list(11, s.breaker_opened);
  list(12, s.pool);
  list(13, s.serving);
  list(14, s.warning);
  list(15, s.budget);
  list(16, s.untried);
  list(17, s.global_catalog);
  list(18, s.last_check);
  list(19, s.last_connect_check);
}

template <class List>
void list_fields(List& list, like<operation_window> auto& w) {
  list(0, w.total);
  list(1, w.failed_by_directory);
  list(2, w.failed);
}

template <class List>
void list_fields(List& list, like<latency_counts> auto& c) {
  list(0, c.at_most);
  list(1, c.count);
  list(2, c.total);
}

template <class List>
void list_fields(List& list, like<operation_totals> auto& t) {
  list(0, t.total);
  list(1, t.succeeded);
  list(2, t.failed);
  list(3, t.failed_by_directory);
  list(4, t.last_minute);
  list(5, t.last_five_minutes);
  list(6, t.duration_total);
  list(7, t.p50);
  list(8, t.p99);
  list(9, t.p999);
  list(10, t.max);
  list(11, t.by_error);
  list(12, t.recast);
  list(13, t.latency);
}

template <class List>
void list_fields(List& list, like<client_operations> auto& o) {
  list(0, o.operation);
  list(1, o.identity);
  list(2, o.ended);
  list(3, o.count);
}

template <class List>
void list_fields(List& list, like<client_listener_snapshot> auto& l) {
  list(0, l.address);
  list(1, l.clients);
  list(2, l.accepted);
  list(3, l.turned_away);
  list(4, l.operations);
}

template <class List>
void list_fields(List& list, like<client_snapshot> auto& c) {
  list(0, c.address);
  list(1, c.listener);
  list(2, c.identity);
  list(3, c.pending);
  list(4, c.parked);
  list(5, c.operations);
  list(6, c.age);
}

template <class List>
void list_fields(List& list, like<node_client_snapshot> auto& c) {
  list(0, c.name);
  list(1, c.address);
  list(2, c.permission);
  list(3, c.received);
  list(4, c.sent);
  list(5, c.since);
}

template <class List>
void list_fields(List& list, like<operation_sample> auto& s) {
  list(0, s.at);
  list(1, s.operation);
  list(2, s.code);
  list(3, s.error);
  list(4, s.server);
  list(5, s.took);
}

template <class List>
void list_fields(List& list, like<operation_samples> auto& s) {
  list(0, s.samples);
  list(1, s.next);
  list(2, s.dropped);
}

template <class List>
void list_fields(List& list, like<runtime_snapshot> auto& r) {
  list(0, r.servers);
  list(1, r.active_priority);
  list(2, r.credentials_refused);
  list(3, r.operations);
  list(4, r.protocol_errors);
  list(5, r.requests_in_flight);
  list(6, r.peers);
  list(9, r.connects);
  list(7, r.client_listeners);
  list(8, r.clients);
  list(10, r.node_clients);
  list(11, r.more_node_clients);
}

template <class List>
void list_fields(List& list, like<probe_report> auto& r) {
  list(0, r.server);
  list(1, r.ok);
  list(2, r.took);
  list(3, r.steps);
  list(4, r.error);
  list(5, r.warning);
  list(6, r.hurried);
  list(7, r.answers_others);
}

template <class List>
void list_fields(List& list, like<connection_snapshot> auto& c) {
  list(0, c.id);
  list(1, c.kind);
  list(2, c.state);
  list(3, c.peer);
  list(4, c.encryption);
  list(5, c.auth_method);
  list(6, c.in_flight);
  list(7, c.completed);
  list(8, c.connect_time);
  list(9, c.steps);
}

/// A list of its own, so that it can be empty.
struct probe_reports {
  std::vector<probe_report> all;
};
template <class List>
void list_fields(List& list, like<probe_reports> auto& r) {
  list(0, r.all);
}

template <class T>
std::string encode_listed(const T& value) {
  std::string out;
  listed_writer to{field_writer{out}};
  list_fields(to, value);
  return out;
}

template <class T>
decoded<T> decode_listed(std::string_view bytes, const char* which) {
  T read;
  if (listed_reader::read_all(bytes, read)) return {std::move(read), nullptr};
  return {{},
          make_failure(errc::invalid_request, stage::operation,
                       std::string{which} + " that the node sent is malformed; one of the two has a defect.")};
}

}  // namespace

std::string encode(const runtime_snapshot& state) { return encode_listed(state); }
std::string encode(const std::vector<probe_report>& found) { return encode_listed(probe_reports{found}); }
std::string encode(const probe_report& found) { return encode_listed(found); }
std::string encode(const connection_snapshot& state) { return encode_listed(state); }
std::string encode(const operation_samples& ended) { return encode_listed(ended); }

decoded<operation_samples> decode_operation_samples(std::string_view bytes) {
  return decode_listed<operation_samples>(bytes, "What a tap was told");
}
decoded<runtime_snapshot> decode_runtime_snapshot(std::string_view bytes) {
  return decode_listed<runtime_snapshot>(bytes, "The state");
}
decoded<std::vector<probe_report>> decode_probe_reports(std::string_view bytes) {
  auto read = decode_listed<probe_reports>(bytes, "What probes found");
  if (read.error) return {{}, std::move(read.error)};
  return {std::move(read.value->all), nullptr};
}
decoded<probe_report> decode_probe_report(std::string_view bytes) {
  return decode_listed<probe_report>(bytes, "What a check found");
}
decoded<connection_snapshot> decode_connection_snapshot(std::string_view bytes) {
  return decode_listed<connection_snapshot>(bytes, "The state of a connection");
}

}  // namespace understudy::internal
