// The tables of the record store, as migrations from each version of its file to the next.
#pragma once

#include <string>
#include <vector>

namespace myst::db {

[[nodiscard]] const std::vector<std::string>& record_migrations();

}  // namespace myst::db
