// Parts of hash_typed_data: the table of struct types of one EIP-712 document. Only for .cpp files.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "myst/base/bytes.hpp"

namespace myst::codec::eip712::detail {

/// The kinds of type that have a value of their own; `size` is bits for integers and bytes for fixed_bytes.
enum class Kind { unsigned_integer, signed_integer, fixed_bytes, address, boolean, string, bytes, structure };

/// A type such as "uint24" or "Person[2][]", taken apart.
struct TypeRef {
    Kind kind{};
    std::size_t size = 0;
    std::string structure;                         ///< name, if kind is structure
    std::vector<std::optional<std::size_t>> dims;  ///< innermost first; none for a dynamic length
};

struct Field {
    std::string name;
    std::string type_text;
    TypeRef type;
};

using Structure = std::vector<Field>;

/// All struct types of a document. Every type that a field names is known.
class TypeTable {
public:
    [[nodiscard]] static Result<TypeTable> parse(const boost::json::object& types);
    /// Null if there is none of this name.
    [[nodiscard]] const Structure* find(std::string_view name) const;
    /// Hash of the type string of a known struct: its own members, then those of all it refers to, by name.
    [[nodiscard]] const Hash32& type_hash(const std::string& name);

private:
    [[nodiscard]] std::string describe(const std::string& name) const;
    void collect(const std::string& name, std::set<std::string>& names) const;
    std::map<std::string, Structure, std::less<>> structures_;
    std::map<std::string, Hash32> hashes_;
};

/// Hash of a struct value whose type `name` is in the table.
[[nodiscard]] Result<Hash32> hash_struct(TypeTable& types, const std::string& name, const boost::json::value& value);
/// The word of a value that is neither struct nor array.
[[nodiscard]] Result<Hash32> encode_atomic(const TypeRef& type, const boost::json::value& value);

}  // namespace myst::codec::eip712::detail
