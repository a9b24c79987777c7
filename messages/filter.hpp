// Search filters built from parts, every value escaped (RFC 4515): user input cannot change their meaning.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace understudy::filter {

/// A value as it may stand in a filter: `*`, `(`, `)`, `\`, NUL and bytes that are no valid UTF-8 become `\xx`.
std::string escape(std::string_view value);

///@{
/// The comparison of that name; `value` is escaped. Throws std::invalid_argument when `attr` is no attribute
/// description (RFC 4512, 2.5).
std::string equal(std::string_view attr, std::string_view value);
std::string approx(std::string_view attr, std::string_view value);
std::string greater_or_equal(std::string_view attr, std::string_view value);
std::string less_or_equal(std::string_view attr, std::string_view value);
///@}
/// Entries that have the attribute, whatever its values; throws as the comparisons do.
std::string present(std::string_view attr);
/// `attr=first*any…*last`; empty parts are left out, but at least one part must be
/// there. Throws std::invalid_argument when none is, or when `attr` is no attribute description.
std::string substring(std::string_view attr, std::string_view first, const std::vector<std::string>& any,
                      std::string_view last);
///@{
/// The operands are filters, not values. Throws std::invalid_argument when there is none.
std::string all_of(const std::vector<std::string>& filters);
std::string any_of(const std::vector<std::string>& filters);
std::string negate(std::string_view filter);
///@}

}  // namespace understudy::filter
