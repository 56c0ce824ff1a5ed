/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"
int tree_yaml(struct km_slice text, unsigned indent, bool first_done)
{
    (void)text; (void)indent; (void)first_done;
    return KM_OK;
}
