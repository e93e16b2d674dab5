// The tables of the record store.
#pragma once

#include <string>
#include <vector>

namespace myst::db {

/// SQL from each version of the store's file to the next, for sys::Database::migrate. What is here stays as it is.
[[nodiscard]] const std::vector<std::string>& record_migrations();

}  // namespace myst::db
