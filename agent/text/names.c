/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"

#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253
#define PORT_NAME_MAX 15

/* The problems, in apimachinery's words. */
static const char too_long_15[] = "must be no more than 15 characters";
static const char too_long_63[] = "must be no more than 63 characters";
static const char too_long_253[] = "must be no more than 253 characters";
static const char not_empty[] = "must be non-empty";
static const char not_dot[] = "must not be '.'";
static const char not_dots[] = "must not be '..'";
static const char not_dots_first[] = "must not start with '..'";
static const char label_words[] = "a lowercase RFC 1123 label must consist of lower case "
                                  "alphanumeric characters or '-', and must start and end with an "
                                  "alphanumeric character (e.g. 'my-name', or '123-abc')";
static const char subdomain_words[] = "a lowercase RFC 1123 subdomain must consist of lower case "
                                      "alphanumeric characters, '-' or '.', and must start and end "
                                      "with an alphanumeric character (e.g. 'example.com')";
static const char dns1035_words[] =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end "
    "with an alphanumeric character (e.g. 'my-name', or 'abc-123')";
static const char qualified_words[] =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character "
    "(e.g. 'MyName', or 'my.name', or '123-abc')";
static const char label_value_words[] =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with "
    "an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345')";

/* ---- classes of characters ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_alpha(c) || is_digit(c);
}

static bool is_lower_alnum(char c)
{
    return is_lower(c) || is_digit(c);
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Each character is_member or in `also`; not empty. */
static bool all(struct km_slice text, bool (*is_member)(char), const char *also)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_member(text.ptr[i]) && !is_one_of(text.ptr[i], also))
            return false;
    }
    return text.len > 0;
}

/* all(), and the first and last character are members themselves. */
static bool all_with_ends(struct km_slice text, bool (*is_member)(char), const char *inner)
{
    return all(text, is_member, inner) && is_member(text.ptr[0]) &&
           is_member(text.ptr[text.len - 1]);
}

/* ---- DNS ---- */

static bool is_label(struct km_slice text)
{
    return all_with_ends(text, is_lower_alnum, "-");
}

static bool is_label_with_underscore(struct km_slice text)
{
    if (text.len > 0 && text.ptr[0] == '_')
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    return all_with_ends(text, is_lower_alnum, "-_");
}

/* How many labels between dots; 0 when one of them is none. */
static size_t labels(struct km_slice text, bool (*check)(struct km_slice))
{
    size_t start = 0, count = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.')
            continue;
        if (!check((struct km_slice){text.ptr + start, i - start}))
            return 0;
        start = i + 1;
        count++;
    }
    return count;
}

static const char *subdomain(struct km_slice text)
{
    if (text.len > SUBDOMAIN_MAX)
        return too_long_253;
    return labels(text, is_label) > 0 ? NULL : subdomain_words;
}

static const char *label(struct km_slice text)
{
    if (text.len > LABEL_MAX)
        return too_long_63;
    if (is_label(text))
        return NULL;
    return labels(text, is_label) > 0 ? "must not contain dots" : label_words;
}

static const char *dns1035(struct km_slice text)
{
    if (text.len > LABEL_MAX)
        return too_long_63;
    return is_label(text) && is_lower(text.ptr[0]) ? NULL : dns1035_words;
}

static const char *subdomain_with_underscore(struct km_slice text)
{
    if (text.len > SUBDOMAIN_MAX)
        return too_long_253;
    return labels(text, is_label_with_underscore) > 0
               ? NULL
               : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                 "characters, '_', '-' or '.', and must "
                 "start and end with an alphanumeric character (e.g. 'example.com')";
}

static const char *wildcard(struct km_slice text)
{
    if (text.len > SUBDOMAIN_MAX)
        return too_long_253;
    bool star = text.len > 2 && text.ptr[0] == '*' && text.ptr[1] == '.';
    return star && labels((struct km_slice){text.ptr + 2, text.len - 2}, is_label) > 0
               ? NULL
               : "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
                 "subdomain (e.g. "
                 "'*.example.com')";
}

static const char *fully_qualified(struct km_slice text)
{
    if (text.len == 0)
        return not_empty;
    const char *problem = subdomain(text);
    if (problem != NULL)
        return problem;
    return labels(text, is_label) >= 3
               ? NULL
               : "should be a domain with at least three segments separated by dots";
}

static bool is_short_label(struct km_slice text)
{
    return is_label(text) && text.len <= LABEL_MAX;
}

static const char *fully_qualified_domain(struct km_slice text)
{
    if (text.len == 0)
        return not_empty;
    if (text.ptr[text.len - 1] == '.')
        text.len--;
    const char *problem = subdomain(text);
    if (problem != NULL)
        return problem;
    if (labels(text, is_label) < 2)
        return "should be a domain with at least two segments separated by dots";
    return labels(text, is_short_label) > 0 ? NULL : too_long_63;
}

/* ---- keys and values ---- */

/* The place of the first '/', len when there is none. */
static size_t slash(struct km_slice text)
{
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    return at == NULL ? text.len : (size_t)(at - text.ptr);
}

static struct km_slice behind(struct km_slice text, size_t at)
{
    return (struct km_slice){text.ptr + at + 1, text.len - at - 1};
}

static const char *name_part(struct km_slice name)
{
    if (name.len == 0)
        return "name part must be non-empty";
    if (name.len > LABEL_MAX)
        return "name part must be no more than 63 characters";
    return all_with_ends(name, is_alnum, "-_.") ? NULL : qualified_words;
}

const char *km_qualified_name_problem(struct km_slice text)
{
    size_t at = slash(text);
    if (at == text.len)
        return name_part(text);
    struct km_slice name = behind(text, at);
    if (slash(name) < name.len)
        return "a valid label key is a name with an optional DNS subdomain prefix and one '/' "
               "(e.g. 'example.com/MyName')";
    if (at == 0)
        return "prefix part must be non-empty";
    if (at > SUBDOMAIN_MAX)
        return "prefix part must be no more than 253 characters";
    if (subdomain((struct km_slice){text.ptr, at}) != NULL)
        return "prefix part must be a lowercase RFC 1123 subdomain: lower case alphanumeric "
               "characters, '-' or '.', with an "
               "alphanumeric character at both ends (e.g. 'example.com')";
    return name_part(name);
}

const char *km_label_value_problem(struct km_slice text)
{
    if (text.len > LABEL_MAX)
        return too_long_63;
    return text.len == 0 || all_with_ends(text, is_alnum, "-_.") ? NULL : label_value_words;
}

static const char *dots_first(struct km_slice text)
{
    if (km_slice_eq_str(text, "."))
        return not_dot;
    if (km_slice_eq_str(text, ".."))
        return not_dots;
    return text.len > 1 && text.ptr[0] == '.' && text.ptr[1] == '.' ? not_dots_first : NULL;
}

static const char *config_map_key(struct km_slice text)
{
    if (text.len > SUBDOMAIN_MAX)
        return too_long_253;
    return all(text, is_alnum, "-_.") ? dots_first(text)
                                      : "a valid config key must consist of alphanumeric "
                                        "characters, '-', '_' or '.' (e.g. "
                                        "'key.name', or 'KEY_NAME', or 'key-name')";
}

static const char *env_var(struct km_slice text)
{
    return all(text, is_alnum, "-_.") && !is_digit(text.ptr[0])
               ? dots_first(text)
               : "a valid environment variable name must consist of alphabetic characters, digits, "
                 "'_', '-', or '.', and must "
                 "not start with a digit (e.g. 'my.env-name', or 'MY_ENV.NAME', or 'MyEnvName1')";
}

static bool is_env_char(char c)
{
    return c >= ' ' && c <= '~' && c != '=';
}

static const char *relaxed_env_var(struct km_slice text)
{
    if (text.len == 0)
        return "environment variable name must be non-empty";
    return all(text, is_env_char, "") ? NULL
                                      : "a valid environment variable name must consist only of "
                                        "printable ASCII characters other than '='";
}

static const char *c_identifier(struct km_slice text)
{
    return all(text, is_alnum, "_") && !is_digit(text.ptr[0])
               ? NULL
               : "a valid C identifier must start with alphabetic character or '_', followed by a "
                 "string of alphanumeric "
                 "characters or '_' (e.g. 'my_name', or 'MY_NAME', or 'MyName')";
}

static const char *http_header(struct km_slice text)
{
    return all(text, is_alnum, "-") ? NULL
                                    : "a valid HTTP header must consist of alphanumeric characters "
                                      "or '-' (e.g. 'X-Header-Name')";
}

static const char *percent(struct km_slice text)
{
    struct km_slice number = {text.ptr, text.len > 0 ? text.len - 1 : 0};
    return all(number, is_digit, "") && text.ptr[text.len - 1] == '%'
               ? NULL
               : "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
                 "'1%', or '93%')";
}

static const char *port_name(struct km_slice text)
{
    bool letter = false, twice = false;

    if (text.len > PORT_NAME_MAX)
        return too_long_15;
    if (!all(text, is_lower_alnum, "-"))
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    for (size_t i = 0; i < text.len; i++) {
        letter = letter || is_lower(text.ptr[i]);
        twice = twice || (i > 0 && text.ptr[i] == '-' && text.ptr[i - 1] == '-');
    }
    if (!letter)
        return "must contain at least one letter (a-z)";
    if (twice)
        return "must not contain consecutive hyphens";
    return text.ptr[0] == '-' || text.ptr[text.len - 1] == '-'
               ? "must not begin or end with a hyphen"
               : NULL;
}

static const char *domain_prefixed_path(struct km_slice text)
{
    size_t at = slash(text);

    if (text.len == 0)
        return not_empty;
    if (at == 0 || at + 1 >= text.len)
        return "must be a domain-prefixed path (such as \"acme.io/foo\")";
    const char *problem = subdomain((struct km_slice){text.ptr, at});
    if (problem != NULL)
        return problem;
    return all(behind(text, at), is_alnum, "/-._~%!$&'()*+,;=:")
               ? NULL
               : "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
}

static const char *domain_prefixed_key(struct km_slice text)
{
    if (text.len == 0)
        return not_empty;
    const char *problem = km_qualified_name_problem(text);
    if (problem != NULL)
        return problem;
    return slash(text) < text.len ? NULL
                                  : "must be a domain-prefixed key (such as \"acme.io/foo\")";
}

const char *km_path_segment_problem(struct km_slice text)
{
    if (km_slice_eq_str(text, "."))
        return not_dot;
    if (km_slice_eq_str(text, ".."))
        return not_dots;
    if (slash(text) < text.len)
        return "must not contain '/'";
    return text.len > 0 && memchr(text.ptr, '%', text.len) != NULL ? "must not contain '%'" : NULL;
}

/* ---- all kinds ---- */

static const struct {
    const char *word;
    const char *(*problem)(struct km_slice text);
} kinds[KM_NAME_KINDS] = {
    [KM_NAME_DNS1123_SUBDOMAIN] = {"dns1123subdomain", subdomain},
    [KM_NAME_DNS1123_LABEL] = {"dns1123label", label},
    [KM_NAME_DNS1035_LABEL] = {"dns1035label", dns1035},
    [KM_NAME_DNS1123_SUBDOMAIN_UNDERSCORE] = {"dns1123subdomainwithunderscore",
                                              subdomain_with_underscore},
    [KM_NAME_WILDCARD_DNS1123_SUBDOMAIN] = {"wildcarddns1123subdomain", wildcard},
    [KM_NAME_QUALIFIED] = {"qualifiedname", km_qualified_name_problem},
    [KM_NAME_LABEL_VALUE] = {"labelvalue", km_label_value_problem},
    [KM_NAME_CONFIG_MAP_KEY] = {"configmapkey", config_map_key},
    [KM_NAME_ENV_VAR] = {"envvarname", env_var},
    [KM_NAME_RELAXED_ENV_VAR] = {"relaxedenvvarname", relaxed_env_var},
    [KM_NAME_C_IDENTIFIER] = {"cidentifier", c_identifier},
    [KM_NAME_HTTP_HEADER] = {"httpheadername", http_header},
    [KM_NAME_PERCENT] = {"percent", percent},
    [KM_NAME_PORT] = {"portname", port_name},
    [KM_NAME_FULLY_QUALIFIED] = {"fullyqualifiedname", fully_qualified},
    [KM_NAME_FULLY_QUALIFIED_DOMAIN] = {"fullyqualifieddomainname", fully_qualified_domain},
    [KM_NAME_DOMAIN_PREFIXED_PATH] = {"domainprefixedpath", domain_prefixed_path},
    [KM_NAME_DOMAIN_PREFIXED_KEY] = {"domainprefixedkey", domain_prefixed_key},
    [KM_NAME_PATH_SEGMENT] = {"pathsegment", km_path_segment_problem},
};

const char *km_name_problem(enum km_name_kind kind, struct km_slice text)
{
    return (unsigned)kind < KM_NAME_KINDS ? kinds[kind].problem(text) : "no such kind of name";
}

const char *km_name_kind_word(enum km_name_kind kind)
{
    return (unsigned)kind < KM_NAME_KINDS ? kinds[kind].word : NULL;
}
