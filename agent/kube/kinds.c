/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_kinds.h"

#include "kubemote/km_json_table.h"

KM_ELEMENT_TABLE(api_label, KM_API_LABEL_FIELDS)
KM_ELEMENT_TABLE(api_annotation, KM_API_ANNOTATION_FIELDS)
KM_ELEMENT_TABLE(api_text, KM_API_TEXT_FIELDS)
KM_ELEMENT_TABLE(api_quantity, KM_API_QUANTITY_FIELDS)
KM_ELEMENT_TABLE(api_owner, KM_API_OWNER_FIELDS)
KM_ELEMENT_TABLE(api_condition, KM_API_CONDITION_FIELDS)
KM_ELEMENT_TABLE(api_reference, KM_API_REFERENCE_FIELDS)
KM_ELEMENT_TABLE(api_local_reference, KM_API_LOCAL_REFERENCE_FIELDS)
KM_ELEMENT_TABLE(api_env, KM_API_ENV_FIELDS)
KM_ELEMENT_TABLE(api_container_port, KM_API_CONTAINER_PORT_FIELDS)
KM_ELEMENT_TABLE(api_mount, KM_API_MOUNT_FIELDS)
KM_ELEMENT_TABLE(api_container, KM_API_CONTAINER_FIELDS)
KM_ELEMENT_TABLE(api_toleration, KM_API_TOLERATION_FIELDS)
KM_ELEMENT_TABLE(api_container_status, KM_API_CONTAINER_STATUS_FIELDS)
KM_ELEMENT_TABLE(api_ip, KM_API_IP_FIELDS)
KM_ELEMENT_TABLE(api_taint, KM_API_TAINT_FIELDS)
KM_ELEMENT_TABLE(api_address, KM_API_ADDRESS_FIELDS)
KM_ELEMENT_TABLE(api_data, KM_API_DATA_FIELDS)
KM_ELEMENT_TABLE(api_service_port, KM_API_SERVICE_PORT_FIELDS)
KM_ELEMENT_TABLE(api_ingress, KM_API_INGRESS_FIELDS)
KM_ELEMENT_TABLE(api_column, KM_API_COLUMN_FIELDS)
KM_ELEMENT_TABLE(api_crd_version, KM_API_CRD_VERSION_FIELDS)
KM_ELEMENT_TABLE(api_rule, KM_API_RULE_FIELDS)
KM_ELEMENT_TABLE(api_validating_webhook, KM_API_VALIDATING_WEBHOOK_FIELDS)
KM_ELEMENT_TABLE(api_mutating_webhook, KM_API_MUTATING_WEBHOOK_FIELDS)

#define KIND(name, title, LIST) \
    extern const struct km_kind km_kind_##name; \
    KM_KIND_TABLE(name, title, LIST)

KIND(api_pod, "Pod", KM_API_POD_FIELDS)
KIND(api_node, "Node", KM_API_NODE_FIELDS)
KIND(api_namespace, "Namespace", KM_API_NAMESPACE_FIELDS)
KIND(api_config_map, "ConfigMap", KM_API_CONFIG_MAP_FIELDS)
KIND(api_secret, "Secret", KM_API_SECRET_FIELDS)
KIND(api_service_account, "ServiceAccount", KM_API_SERVICE_ACCOUNT_FIELDS)
KIND(api_service, "Service", KM_API_SERVICE_FIELDS)
KIND(api_event, "Event", KM_API_EVENT_FIELDS)
KIND(api_lease, "Lease", KM_API_LEASE_FIELDS)
KIND(api_csr, "CertificateSigningRequest", KM_API_CSR_FIELDS)
KIND(api_deployment, "Deployment", KM_API_DEPLOYMENT_FIELDS)
KIND(api_crd, "CustomResourceDefinition", KM_API_CRD_FIELDS)
KIND(api_validating, "ValidatingWebhookConfiguration", KM_API_VALIDATING_FIELDS)
KIND(api_mutating, "MutatingWebhookConfiguration", KM_API_MUTATING_FIELDS)

#define TYPE(name, group, version, plural, api_version, namespaced) \
    const struct km_type km_type_##name = { \
        {group, version, plural}, api_version, namespaced, &km_kind_api_##name};

TYPE(pod, "", "v1", "pods", "v1", true)
TYPE(node, "", "v1", "nodes", "v1", false)
TYPE(namespace, "", "v1", "namespaces", "v1", false)
TYPE(config_map, "", "v1", "configmaps", "v1", true)
TYPE(secret, "", "v1", "secrets", "v1", true)
TYPE(service_account, "", "v1", "serviceaccounts", "v1", true)
TYPE(service, "", "v1", "services", "v1", true)
TYPE(event, "events.k8s.io", "v1", "events", "events.k8s.io/v1", true)
TYPE(lease, "coordination.k8s.io", "v1", "leases", "coordination.k8s.io/v1", true)
TYPE(csr, "certificates.k8s.io", "v1", "certificatesigningrequests", "certificates.k8s.io/v1",
     false)
TYPE(deployment, "apps", "v1", "deployments", "apps/v1", true)
TYPE(crd, "apiextensions.k8s.io", "v1", "customresourcedefinitions", "apiextensions.k8s.io/v1",
     false)
TYPE(validating, "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations",
     "admissionregistration.k8s.io/v1", false)
TYPE(mutating, "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations",
     "admissionregistration.k8s.io/v1", false)

const struct km_type *const km_types[] = {
    &km_type_pod,        &km_type_node,       &km_type_namespace,
    &km_type_config_map, &km_type_secret,     &km_type_service_account,
    &km_type_service,    &km_type_event,      &km_type_lease,
    &km_type_csr,        &km_type_deployment, &km_type_crd,
    &km_type_validating, &km_type_mutating,   NULL,
};

int km_type_encode(const struct km_type *type, const void *record, struct km_buf *out)
{
    struct km_json_writer w;
    km_json_writer_init(&w, out);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", type->api_version);
    km_json_kv_str(&w, "kind", type->kind->name);
    int err = km_json_encode(&w, type->kind, record);
    km_json_close(&w);
    return err == KM_OK ? km_json_finish(&w) : err;
}
