/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split invariance of the whole agent: however the reads and writes are cut, the same story ends in the same state, by the
 * same writes in the same order.
 */
#include <stdlib.h>

#include "rig.h"

struct outcome {
    char *node, *lease;
    uint64_t writes_hash;
    unsigned writes, requests;
    size_t pods;
};

static char *without_times(const struct doc *doc)
{
    static const char *const conditions[] = {"Ready", "MemoryPressure", "DiskPressure",
                                             "PIDPressure"};
    struct doc *copy = doc_copy(doc);
    char *text;

    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        struct doc *c = doc_element(copy, "/status/conditions", "type", conditions[i]);

        if (c == NULL)
            continue;
        doc_drop(c, "/lastHeartbeatTime");
        doc_drop(c, "/lastTransitionTime");
    }
    doc_drop(copy, "/spec/renewTime");
    text = doc_print(copy);
    doc_free(copy);
    return text;
}

static void story(void)
{
    rig_start();
    rig_run(15000);
    api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
    api_add_pod("default", "a", API_NODE);
    api_add_pod("kube-system", "b", API_NODE);
    rig_run(5000);
    api_kill_pod("default", "a");
    rig_run(5000);
    api_end_watches();
    rig_run(5000);
    api_compact();
    km_sim_machine()->address_count = 2;
    (void)km_addr_parse(km_slice_of("fd00::7"), &km_sim_machine()->addresses[1]);
    rig_run(20000);
    (void)rig_settle(30000);
}

static struct outcome run(uint64_t shorten, size_t to)
{
    struct outcome out;

    rig_begin(1);
    km_sim_shorten(shorten);
    km_sim_shorten_to(to);
    story();
    out.node = without_times(api_node());
    out.lease = without_times(api_lease());
    out.writes_hash = api.writes_hash;
    out.writes = api.writes;
    out.requests = api.requests;
    out.pods = api_count(API_PODS);
    rig_end();
    return out;
}

static void drop(struct outcome *out)
{
    free(out->node);
    free(out->lease);
}

static void same_however_cut(void **state)
{
    struct outcome whole = run(0, 0);
    unsigned tries = RIG_SLOW ? 60 : 300;

    (void)state;
    rig_check(whole.pods == 1 && whole.writes > 6);
    for (unsigned i = 1; i <= tries; i++) {
        /* Every third by pieces of a fixed small size. */
        struct outcome cut = i % 3 == 0 ? run(0, i / 3) : run(i, 0);
        char label[48];

        (void)snprintf(label, sizeof label, "cut %u", i);
        rig.label = label;
        if (strcmp(cut.node, whole.node) != 0)
            fprintf(stderr, "%s\n%s\n", whole.node, cut.node);
        rig_check(strcmp(cut.node, whole.node) == 0);
        rig_check(strcmp(cut.lease, whole.lease) == 0);
        rig_check(cut.pods == whole.pods);
        if (cut.writes != whole.writes)
            rig_fail("%u writes instead of %u", cut.writes, whole.writes);
        rig_check(cut.writes_hash == whole.writes_hash);
        rig_check(cut.requests == whole.requests);
        rig.label = NULL;
        drop(&cut);
    }
    drop(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_however_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
