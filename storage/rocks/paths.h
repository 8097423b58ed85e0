// The two halves of a path, as RocksDB gives them: always with a folder.
//
//    folder_of("/var/lib/holdfast/db/000012.log")     -> "/var/lib/holdfast/db"
//    file_name_of("/var/lib/holdfast/db/000012.log")  -> "000012.log"
#pragma once

#include <string>

namespace holdfast::storage {

inline std::string folder_of(const std::string& path) {
  return path.substr(0, path.find_last_of('/'));
}
inline std::string file_name_of(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

}  // namespace holdfast::storage
