#include "myst/db/record_query.hpp"

#include <fmt/format.h>

namespace myst::db {
namespace {

std::int64_t number(UnixTime time) {
    return time.time_since_epoch().count();
}

Bytes blob(BytesView view) {
    return {view.begin(), view.end()};
}

/// What the indexes of ids and authors hold of them.
Bytes beginning(BytesView view) {
    return blob(view.first(8));
}

/// "(?,?,?)" rounded up to a power of two, so that few different statements exist; the caller repeats the last value.
std::size_t padded(std::size_t count) {
    std::size_t size = 1;
    while (size < count) size *= 2;
    return size;
}

class Builder {
public:
    explicit Builder(std::string_view table) : query{fmt::format("SELECT id,created_at FROM {} WHERE ", table), {}} {}

    template <class T, class ToValue>
    void one_of(std::string_view column, const std::vector<T>& values, ToValue to_value) {
        if (values.empty()) return;
        join_next();
        query.text.append(column).append(" IN (");
        append_list(values, to_value);
        query.text += ')';
    }
    /// Looks up each record's tag: good where few records are left to look at.
    void has_tag(std::string_view table, char letter, const std::vector<std::string>& values) {
        if (values.empty()) return;
        join_next();
        query.text += "EXISTS (SELECT 1 FROM record_tags t WHERE t.name=? AND t.value IN (";
        append_tag(letter, values);
        for (const std::string_view column : {"kind", "created_at", "id"}) {
            query.text.append(" AND t.").append(column).append("=").append(table).append(".").append(column);
        }
        query.text += ')';
    }
    /// Collects all records with the tag first: good where nothing else narrows the choice.
    void in_tag(char letter, const std::vector<std::string>& values) {
        if (values.empty()) return;
        join_next();
        query.text += "substr(id,1,8) IN (SELECT substr(id,1,8) FROM record_tags WHERE name=? AND value IN (";
        append_tag(letter, values);
        query.text += ')';
        has_tag("records", letter, values);
    }
    void equal(std::string_view column, SqlValue value) {
        join_next();
        query.text.append(column).append("=?");
        query.values.push_back(std::move(value));
    }
    void compare(std::string_view condition, std::int64_t value) {
        join_next();
        query.text += condition;
        query.values.emplace_back(value);
    }
    void finish(std::size_t limit) {
        query.text += " ORDER BY created_at DESC, id LIMIT ?";
        query.values.emplace_back(static_cast<std::int64_t>(limit));
    }
    SqlQuery query;

private:
    void append_tag(char letter, const std::vector<std::string>& values) {
        query.values.emplace_back(std::string(1, letter));
        append_list(values, [](const std::string& value) { return SqlValue(value); });
        query.text += ')';
    }
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
    Builder builder("records");
    builder.compare("(expires_at IS NULL OR expires_at>?)", number(now));
    builder.one_of("substr(id,1,8)", filter.ids, [](const Hash32& id) { return SqlValue(beginning(id.view())); });
    builder.one_of("id", filter.ids, [](const Hash32& id) { return SqlValue(blob(id.view())); });
    builder.one_of("substr(author,1,8)", filter.authors,
                   [](const NodeKey& key) { return SqlValue(beginning(key.view())); });
    builder.one_of("author", filter.authors, [](const NodeKey& key) { return SqlValue(blob(key.view())); });
    builder.one_of("kind", filter.kinds, [](std::uint32_t kind) { return SqlValue(std::int64_t{kind}); });
    const bool is_narrow = !filter.ids.empty() || !filter.authors.empty();
    for (const auto& [letter, values] : filter.tags) {
        if (is_narrow) {
            builder.has_tag("records", letter, values);
        } else {
            builder.in_tag(letter, values);
        }
    }
    if (filter.since) builder.compare("created_at>=?", number(*filter.since));
    if (filter.until) builder.compare("created_at<=?", number(*filter.until));
    builder.finish(limit);
    return std::move(builder.query);
}

SqlQuery build_tag_query(const TagEntry& entry, const codec::Filter& filter, UnixTime now, std::size_t limit) {
    Builder builder("record_tags");
    builder.equal("name", entry.name());
    builder.equal("value", entry.value);
    builder.equal("kind", std::int64_t{entry.kind});
    builder.compare("(expires_at IS NULL OR expires_at>?)", number(now));
    for (const auto& [letter, values] : filter.tags) {
        if (letter != entry.letter) builder.has_tag("record_tags", letter, values);
    }
    if (filter.since) builder.compare("created_at>=?", number(*filter.since));
    if (filter.until) builder.compare("created_at<=?", number(*filter.until));
    builder.finish(limit);
    return std::move(builder.query);
}

}  // namespace myst::db
