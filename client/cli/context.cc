#include "client/cli/context.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

#include "client/cli/output.h"
#include "client/wire/limits.h"
#include "client/wire/message.h"

namespace holdfast::cli {
namespace {

using client::Failure;
using client::FailureKind;

// The group that may use the socket; that of its directory when not even the
// socket can be seen.
std::string group_of(const std::string& socket_path) {
  struct stat info {};
  const size_t slash = socket_path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : socket_path.substr(0, slash + 1);
  if (::stat(socket_path.c_str(), &info) != 0 && ::stat(directory.c_str(), &info) != 0) {
    return "holdfast";
  }
  const group* found = ::getgrgid(info.st_gid);
  return found == nullptr ? std::to_string(info.st_gid) : found->gr_name;
}

std::string advice(const Context& context, const Failure& failure) {
  switch (failure.kind) {
    case FailureKind::unknown:
      return "ask with `holdfast events`, or repeat it with the same --key: that runs it once";
    case FailureKind::refused:
      if (failure.type == "AccessDeniedException") {
        return "try again as root (sudo), or as the user holdfastd runs as";
      }
      return "";
    case FailureKind::unreachable:
      break;
  }
  switch (failure.system_error) {
    case ENOENT:
    case ENOTDIR:
      return "is holdfastd running? See: systemctl status holdfast. Another socket is named with "
             "--socket or HOLDFAST_SOCKET";
    case ECONNREFUSED:
      return "nobody answers at this socket: holdfastd has stopped. See: systemctl status holdfast";
    case EACCES:
    case EPERM: {
      const std::string group = group_of(context.socket_path);
      if (group == "root") {
        return "only root may use it: run the command as root, or set socket.group in "
               "holdfast.toml";
      }
      return "only root and members of the group '" + group +
             "' may use it. Join it with: sudo usermod -aG " + group + " $USER, then log in again";
    }
    case EAGAIN:
      return "holdfastd takes no connections: it is overloaded or hangs. See: journalctl -u "
             "holdfast";
    case ENAMETOOLONG:
      return "the path of a socket has at most 107 bytes";
    case EPIPE:
      if (!failure.type.empty()) return "";  // it has said why
      return "holdfastd may have been restarted: repeat the command";
    default:
      return "see: systemctl status holdfast";
  }
}

std::string_view kind_name(FailureKind kind) {
  switch (kind) {
    case FailureKind::refused:
      return "refused";
    case FailureKind::unknown:
      return "unknown";
    case FailureKind::unreachable:
      return "unreachable";
  }
  return "unknown";
}

ExitCode exit_code(FailureKind kind) {
  switch (kind) {
    case FailureKind::refused:
      return ExitCode::refused;
    case FailureKind::unknown:
      return ExitCode::unknown;
    case FailureKind::unreachable:
      return ExitCode::unreachable;
  }
  return ExitCode::unknown;
}

}  // namespace

client::Answer<client::Client> connect(const Context& context) {
  auto client = client::Client::connect(context.socket_path);
  if (client) client->set_reply_timeout(std::chrono::seconds{context.timeout_seconds});
  return client;
}

ExitCode complain(const Context& context, const Failure& failure) {
  if (context.json) {
    Json error{{"Kind", kind_name(failure.kind)}};
    if (!failure.type.empty()) error["Type"] = failure.type;
    error["Message"] = printable(failure.message);
    std::fprintf(stderr, "%s\n", Json{{"Error", error}}.dump().c_str());
    return exit_code(failure.kind);
  }
  std::string line = failure.type.empty() ? "" : printable(failure.type) + ": ";
  warn(line + printable(failure.message));
  if (const std::string hint = advice(context, failure); !hint.empty()) warn(hint);
  return exit_code(failure.kind);
}

ExitCode call_and_show(const Context& context, std::string_view method,
                       const client::Client::PackParams& pack_params, const Show& show) {
  auto client = connect(context);
  if (!client) return complain(context, client.error());
  const auto reply = client->call(method, pack_params);
  if (!reply) return complain(context, reply.error());
  if (context.json) {
    print_json(to_json(reply->get()));
  } else {
    show(reply->get());
  }
  return ExitCode::done;
}

ExitCode for_each_id(const Context& context, const std::vector<std::string>& request_ids,
                     std::string_view method, const Show& show) {
  auto client = connect(context);
  if (!client) return complain(context, client.error());
  ExitCode first_failure = ExitCode::done;
  for (const std::string& request_id : request_ids) {
    const auto reply = client->call(
        method, [&](wire::MapWriter& params) { params.text("RequestId", request_id); });
    if (reply) {
      show(reply->get());
      continue;
    }
    const ExitCode code = complain(context, reply.error());
    if (first_failure == ExitCode::done) first_failure = code;
    if (code != ExitCode::refused) break;
  }
  return first_failure;
}

// A page may be empty and still have a successor: only an absent marker is the end.
ExitCode list_and_show(const Context& context, const Listing& listing,
                       const std::function<void(const Rows&)>& show) {
  auto client = connect(context);
  if (!client) return complain(context, client.error());
  std::vector<client::RawReply> pages;  // the rows point into them
  Rows rows;
  std::string marker;
  while (true) {
    const size_t wanted =
        listing.rows_max == 0 ? wire::kPageItemsMax : listing.rows_max - rows.size();
    auto page = client->call(listing.method, [&](wire::MapWriter& params) {
      listing.pack_filter(params);
      params.count("MaxItems", std::min<size_t>(wanted, wire::kPageItemsMax));
      if (!marker.empty()) params.text("Marker", marker);
    });
    if (!page) return complain(context, page.error());
    const Rows more = rows_of(page->get(), listing.rows_field);
    rows.insert(rows.end(), more.begin(), more.end());
    marker = bytes_of(page->get(), "NextMarker");
    pages.push_back(std::move(*page));
    if (marker.empty() || (listing.rows_max != 0 && rows.size() >= listing.rows_max)) break;
  }
  if (context.json) {
    Json list = Json::array();
    for (const msgpack::object* row : rows) list.push_back(to_json(*row));
    Json answer{{std::string{listing.rows_field}, std::move(list)}};
    if (!marker.empty()) answer["NextMarker"] = marker;
    print_json(answer);
    return ExitCode::done;
  }
  show(rows);
  if (!marker.empty()) warn("there are more; --limit N shows more of them, --limit 0 all");
  return ExitCode::done;
}

std::optional<std::string> read_payload(const std::string& named, size_t bytes_max) {
  if (named != "-" && !named.starts_with('@')) return named;
  const bool is_stdin = named == "-";
  const std::string path = is_stdin ? "standard input" : named.substr(1);
  const auto close = [is_stdin](std::FILE* file) { return is_stdin ? 0 : std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file{
      is_stdin ? stdin : std::fopen(path.c_str(), "rbe"), close};
  std::string payload;
  if (file != nullptr) {
    char bytes[65536];
    size_t count = 0;
    while (payload.size() <= bytes_max &&
           (count = std::fread(bytes, 1, sizeof bytes, file.get())) > 0) {
      payload.append(bytes, count);
    }
  }
  if (file == nullptr || std::ferror(file.get()) != 0) {
    warn("cannot read " + path + ": " + std::strerror(errno));
    return std::nullopt;
  }
  if (payload.size() > bytes_max) {
    warn(path + " has more than the " + std::to_string(bytes_max) + " bytes that are taken");
    return std::nullopt;
  }
  return payload;
}

}  // namespace holdfast::cli
