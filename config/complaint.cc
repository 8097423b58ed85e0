#include "config/complaint.h"

#include "config/text.h"

namespace holdfast::config {
namespace {

constexpr size_t kComplaintsShownMax = 100;

}  // namespace

KeyPath operator/(KeyPath path, std::string_view key) {
  path.emplace_back(key);
  return path;
}

std::string to_text(const KeyPath& path) {
  std::string text;
  for (const std::string& key : path) {
    if (!text.empty()) text += '.';
    text += is_bare(key) ? key_text(key) : quoted_short(key);
  }
  return text;
}

std::string to_text(const Complaint& complaint, std::string_view source_name) {
  std::string text{source_name};
  if (complaint.line != 0) text += ":" + std::to_string(complaint.line);
  if (!text.empty()) text += ": ";
  if (!complaint.path.empty()) text += to_text(complaint.path) + ": ";
  return text + complaint.message;
}

std::string to_text(const Complaints& complaints) {
  std::string text;
  size_t shown = 0;
  for (const Complaint& complaint : complaints.list) {
    if (shown == kComplaintsShownMax) {
      const size_t hidden = complaints.list.size() - shown;
      return text + "\nand " + std::to_string(hidden) + " more";
    }
    if (shown++ > 0) text += '\n';
    text += to_text(complaint, complaints.source_name);
  }
  return text;
}

}  // namespace holdfast::config
