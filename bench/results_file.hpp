// The file of figures that several benchmarks share.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <boost/json.hpp>

#include "myst/base/check.hpp"

namespace myst::bench {

/// Writes the figures into a JSON object in a file; what other benchmarks wrote there stays.
inline void save_figures(const std::filesystem::path& path, const boost::json::object& figures) {
    boost::json::object all;
    if (std::ifstream old(path); old) {
        boost::system::error_code error;
        const auto value = boost::json::parse(std::string(std::istreambuf_iterator<char>(old), {}), error);
        if (!error && value.is_object()) all = value.get_object();
    }
    for (const auto& [key, value] : figures) all[key] = value;
    std::ofstream out(path);
    out << boost::json::serialize(all) << '\n';
    CHECK(out.flush());
}

}  // namespace myst::bench
