// Which server has which number: the same place keeps its number, and no number is ever used again.
#pragma once
#include "understudy/config/connection_info.hpp"
#include "understudy/messages/call.hpp"

#include <map>

namespace understudy::internal {

/// Numbers servers by place (host and port, or path), whatever else changes about them. Pure.
class server_ids {
 public:
  /// The numbers of `servers`, in their order. Those that are left out are forgotten: when they come back they are
  /// other servers.
  std::vector<server_id> number(const std::vector<connection_info>& servers);

 private:
  std::map<std::string, server_id> known_;
  server_id next_ = 0;
};

}  // namespace understudy::internal
