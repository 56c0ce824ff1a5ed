/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the field tables of kinds from the lists that made their structs (km_json.h). For .c files: an element's table is
 * static, so each file that declares a kind of such elements has its own.
 */
#ifndef KM_JSON_TABLE_H
#define KM_JSON_TABLE_H

#include "km_json.h"

/*
 * A list names a member but not its struct, so that each entry is begun here, up to the member's name, and ended by the
 * macro that stands in the list. (offsetof would need the name inside its parentheses.)
 */
/* clang-format off */
#define KM_ENTRY_OF_(tag) {.offset = (uint32_t)(uintptr_t)&((struct km_##tag *)0)->
/* clang-format on */
#define KM_ENTRY_S_(member, pointer, length) \
    member, .path = (pointer), .type = KM_F_STRING, .size = (length) \
    } \
    ,
#define KM_ENTRY_R_(member, pointer, length) \
    member, .path = (pointer), .type = KM_F_RAW, .size = (length) \
    } \
    ,
#define KM_ENTRY_I_(member, pointer) \
    member, .path = (pointer), .type = KM_F_INT64, .size = sizeof(int64_t) \
    } \
    ,
#define KM_ENTRY_B_(member, pointer) \
    member, .path = (pointer), .type = KM_F_BOOL, .size = sizeof(bool) \
    } \
    ,
#define KM_ENTRY_LIST_(member, pointer, kind, element, count) \
    member, .path = (pointer), .type = kind, .size = sizeof(struct km_##element), \
        .sub = km_fields_##element, \
        .sub_count = sizeof km_fields_##element / sizeof km_fields_##element[0], \
        .count_max = (count) \
    } \
    ,
#define KM_ENTRY_A_(member, pointer, element, count) \
    KM_ENTRY_LIST_(member, pointer, KM_F_ARRAY, element, count)
#define KM_ENTRY_M_(member, pointer, element, count) \
    KM_ENTRY_LIST_(member, pointer, KM_F_MAP, element, count)

#define KM_ENTRIES_(tag, LIST) \
    {LIST(KM_ENTRY_OF_(tag) KM_ENTRY_S_, KM_ENTRY_OF_(tag) KM_ENTRY_I_, \
          KM_ENTRY_OF_(tag) KM_ENTRY_B_, KM_ENTRY_OF_(tag) KM_ENTRY_R_, \
          KM_ENTRY_OF_(tag) KM_ENTRY_A_, KM_ENTRY_OF_(tag) KM_ENTRY_M_)}

/* const struct km_field km_fields_<element>[], static. No semicolon behind either. */
#define KM_ELEMENT_TABLE(element, LIST) \
    static const struct km_field km_fields_##element[] = KM_ENTRIES_(element, LIST);
/* const struct km_kind km_kind_<kind>: declare it in a header with extern. */
#define KM_KIND_TABLE(kind, title, LIST) \
    static const struct km_field km_fields_##kind[] = KM_ENTRIES_(kind, LIST); \
    const struct km_kind km_kind_##kind = { \
        .name = (title), \
        .record_size = sizeof(struct km_##kind), \
        .fields = km_fields_##kind, \
        .field_count = sizeof km_fields_##kind / sizeof km_fields_##kind[0], \
    };

#endif
