/* SPDX-License-Identifier: Apache-2.0 */
/* As test_json_plain.c, by words: what machines without vectors use. */
#define KM_JSON_WORDS
#include "test_json_plain.c"
