/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_json_table.h"
#include "watch_priv.h"

KM_KIND_TABLE(watch_frame, "WatchEvent", WATCH_FRAME_FIELDS)
KM_KIND_TABLE(watch_store, "Store", WATCH_STORE_FIELDS)
KM_KIND_TABLE(watch_list, "List", WATCH_LIST_FIELDS)
