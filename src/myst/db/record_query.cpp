#include "myst/db/record_query.hpp"

namespace myst::db {
namespace {

std::int64_t number(UnixTime time) {
    return time.time_since_epoch().count();
}

Bytes blob(BytesView view) {
    return {view.begin(), view.end()};
}

/// "(?,?,?)" rounded up to a power of two, so that few different statements exist; the caller repeats the last value.
std::size_t padded(std::size_t count) {
    std::size_t size = 1;
    while (size < count) size *= 2;
    return size;
}

class Builder {
public:
    template <class T, class ToValue>
    void one_of(std::string_view column, const std::vector<T>& values, ToValue to_value) {
        if (values.empty()) return;
        join_next();
        query.text.append(column).append(" IN (");
        append_list(values, to_value);
        query.text += ')';
    }
    void tag(char letter, const std::vector<std::string>& values) {
        if (values.empty()) return;
        join_next();
        query.text += "seq IN (SELECT event FROM record_tags WHERE name=? AND value IN (";
        query.values.emplace_back(std::string(1, letter));
        append_list(values, [](const std::string& value) { return SqlValue(value); });
        query.text += "))";
    }
    void compare(std::string_view condition, std::int64_t value) {
        join_next();
        query.text += condition;
        query.values.emplace_back(value);
    }
    SqlQuery query{"SELECT id,created_at FROM records WHERE ", {}};

private:
    void join_next() {
        if (!first_) query.text += " AND ";
        first_ = false;
    }
    template <class T, class ToValue>
    void append_list(const std::vector<T>& values, ToValue to_value) {
        const std::size_t count = padded(values.size());
        for (std::size_t i = 0; i < count; ++i) {
            query.text += i == 0 ? "?" : ",?";
            query.values.push_back(to_value(values[std::min(i, values.size() - 1)]));
        }
    }
    bool first_ = true;
};

}  // namespace

std::size_t count_values(const codec::Filter& filter) {
    std::size_t count = filter.ids.size() + filter.authors.size() + filter.kinds.size();
    for (const auto& [letter, values] : filter.tags) count += values.size();
    return count;
}

Result<SqlQuery> build_query(const codec::Filter& filter, UnixTime now, std::size_t limit) {
    if (count_values(filter) > kMaxFilterValues) {
        return fail(ErrorCode::limit_exceeded, "the filter holds more than 256 values", "split it into several");
    }
    Builder builder;
    builder.compare("(expires_at IS NULL OR expires_at>?)", number(now));
    builder.one_of("id", filter.ids, [](const Hash32& id) { return SqlValue(blob(id.view())); });
    builder.one_of("author", filter.authors, [](const NodeKey& key) { return SqlValue(blob(key.view())); });
    builder.one_of("kind", filter.kinds, [](std::uint32_t kind) { return SqlValue(std::int64_t{kind}); });
    for (const auto& [letter, values] : filter.tags) builder.tag(letter, values);
    if (filter.since) builder.compare("created_at>=?", number(*filter.since));
    if (filter.until) builder.compare("created_at<=?", number(*filter.until));
    builder.query.text += " ORDER BY created_at DESC, id LIMIT ?";
    builder.query.values.emplace_back(static_cast<std::int64_t>(limit));
    return std::move(builder.query);
}

}  // namespace myst::db
