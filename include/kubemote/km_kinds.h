/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of the Kubernetes API as records, for programs: one list a kind makes its struct, its field table and, with
 * km_json_encode, its encoder. A program declares its own kinds in the same way (docs/examples/custom_resource.c).
 *
 *     static struct km_api_pod pod;             what km_typed_get fills: pod.name, pod.containers[0].image, pod.phase
 *
 * Members are named as in the API, in C's spelling. R fields are JSON text as it stands ("3", "true", "{...}"), "" when
 * absent: numbers and booleans of which absence means something else than zero, numbers or names, and structures that few
 * programs look into. Lists and texts have fixed sizes (docs/LIBRARY.md): what is cut off is counted in head.truncated.
 * Fields that are not listed are not kept: change objects by patches, and replace only those that you made.
 */
#ifndef KM_KINDS_H
#define KM_KINDS_H

#include "km_kube.h"

#define KM_ITEMS_ CONFIG_KM_TYPED_ITEM_COUNT
#define KM_TEXT_ CONFIG_KM_TYPED_TEXT_BYTES

/* ---- parts of many kinds ---- */

#define KM_API_LABEL_FIELDS(S, I, B, R, A, M) S(key, "", 318) S(value, "", 64)
#define KM_API_ANNOTATION_FIELDS(S, I, B, R, A, M) S(key, "", 318) S(value, "", KM_TEXT_)
#define KM_API_TEXT_FIELDS(S, I, B, R, A, M) S(text, "", 256)
#define KM_API_QUANTITY_FIELDS(S, I, B, R, A, M) S(key, "", 318) S(value, "", 64)
#define KM_API_OWNER_FIELDS(S, I, B, R, A, M) \
    S(api_version, "/apiVersion", 254) \
    S(kind, "/kind", 64) \
    S(name, "/name", 254) \
    S(uid, "/uid", 64) \
    R(controller, "/controller", 8) \
    R(block_owner_deletion, "/blockOwnerDeletion", 8)
/* Of Pods, Nodes, Deployments, Services, ...: not all have all. */
#define KM_API_CONDITION_FIELDS(S, I, B, R, A, M) \
    S(type, "/type", 318) \
    S(status, "/status", 16) \
    S(reason, "/reason", 128) \
    S(message, "/message", KM_TEXT_) \
    S(last_transition, "/lastTransitionTime", 32) \
    S(last_update, "/lastUpdateTime", 32) \
    S(last_heartbeat, "/lastHeartbeatTime", 32) \
    S(last_probe, "/lastProbeTime", 32) \
    I(observed_generation, "/observedGeneration")
#define KM_API_REFERENCE_FIELDS(S, I, B, R, A, M) \
    S(api_version, "/apiVersion", 128) \
    S(kind, "/kind", 64) \
    S(ns, "/namespace", 64) \
    S(name, "/name", 254) \
    S(uid, "/uid", 64) \
    S(rv, "/resourceVersion", 32) \
    S(field_path, "/fieldPath", 128)
#define KM_API_LOCAL_REFERENCE_FIELDS(S, I, B, R, A, M) S(name, "/name", 254)
KM_ELEMENT_STRUCT(api_label, KM_API_LABEL_FIELDS)
KM_ELEMENT_STRUCT(api_annotation, KM_API_ANNOTATION_FIELDS)
KM_ELEMENT_STRUCT(api_text, KM_API_TEXT_FIELDS)
KM_ELEMENT_STRUCT(api_quantity, KM_API_QUANTITY_FIELDS)
KM_ELEMENT_STRUCT(api_owner, KM_API_OWNER_FIELDS)
KM_ELEMENT_STRUCT(api_condition, KM_API_CONDITION_FIELDS)
KM_ELEMENT_STRUCT(api_reference, KM_API_REFERENCE_FIELDS)
KM_ELEMENT_STRUCT(api_local_reference, KM_API_LOCAL_REFERENCE_FIELDS)

/* metadata: every kind begins with these. */
#define KM_API_META_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    S(generate_name, "/metadata/generateName", 254) \
    I(generation, "/metadata/generation") \
    S(created, "/metadata/creationTimestamp", 32) \
    S(deleted, "/metadata/deletionTimestamp", 32) \
    R(deletion_grace, "/metadata/deletionGracePeriodSeconds", 24) \
    M(labels, "/metadata/labels", api_label, CONFIG_KM_TYPED_LABEL_COUNT) \
    M(annotations, "/metadata/annotations", api_annotation, CONFIG_KM_TYPED_LABEL_COUNT) \
    A(owners, "/metadata/ownerReferences", api_owner, 4) \
    A(finalizers, "/metadata/finalizers", api_text, 4)

/* ---- Pod ---- */

#define KM_API_ENV_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 128) S(value, "/value", 256) R(value_from, "/valueFrom", KM_TEXT_)
#define KM_API_CONTAINER_PORT_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    I(port, "/containerPort") \
    I(host_port, "/hostPort") \
    S(host_ip, "/hostIP", 64) \
    S(protocol, "/protocol", 16)
#define KM_API_MOUNT_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    S(path, "/mountPath", 256) \
    S(sub_path, "/subPath", 128) \
    B(read_only, "/readOnly")
#define KM_API_CONTAINER_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    S(image, "/image", 256) \
    S(pull_policy, "/imagePullPolicy", 16) \
    S(working_dir, "/workingDir", 256) \
    S(restart_policy, "/restartPolicy", 16) \
    A(command, "/command", api_text, KM_ITEMS_) \
    A(args, "/args", api_text, KM_ITEMS_) \
    A(env, "/env", api_env, KM_ITEMS_) \
    R(env_from, "/envFrom", KM_TEXT_) \
    A(ports, "/ports", api_container_port, KM_ITEMS_) \
    A(mounts, "/volumeMounts", api_mount, KM_ITEMS_) \
    M(limits, "/resources/limits", api_quantity, 4) \
    M(requests, "/resources/requests", api_quantity, 4) \
    R(liveness, "/livenessProbe", KM_TEXT_) \
    R(readiness, "/readinessProbe", KM_TEXT_) \
    R(startup, "/startupProbe", KM_TEXT_) \
    R(lifecycle, "/lifecycle", KM_TEXT_) \
    R(security, "/securityContext", KM_TEXT_) \
    S(termination_path, "/terminationMessagePath", 256) \
    S(termination_policy, "/terminationMessagePolicy", 32) \
    B(stdin_open, "/stdin") \
    B(stdin_once, "/stdinOnce") \
    B(tty, "/tty")
#define KM_API_TOLERATION_FIELDS(S, I, B, R, A, M) \
    S(key, "/key", 318) \
    S(op, "/operator", 16) \
    S(value, "/value", 64) \
    S(effect, "/effect", 32) \
    R(seconds, "/tolerationSeconds", 24)
#define KM_API_CONTAINER_STATUS_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    B(ready, "/ready") \
    R(started, "/started", 8) \
    I(restarts, "/restartCount") \
    S(image, "/image", 256) \
    S(image_id, "/imageID", 256) \
    S(container_id, "/containerID", 128) \
    R(state, "/state", KM_TEXT_) \
    R(last_state, "/lastState", KM_TEXT_)
#define KM_API_IP_FIELDS(S, I, B, R, A, M) S(ip, "/ip", 64)
KM_ELEMENT_STRUCT(api_env, KM_API_ENV_FIELDS)
KM_ELEMENT_STRUCT(api_container_port, KM_API_CONTAINER_PORT_FIELDS)
KM_ELEMENT_STRUCT(api_mount, KM_API_MOUNT_FIELDS)
KM_ELEMENT_STRUCT(api_container, KM_API_CONTAINER_FIELDS)
KM_ELEMENT_STRUCT(api_toleration, KM_API_TOLERATION_FIELDS)
KM_ELEMENT_STRUCT(api_container_status, KM_API_CONTAINER_STATUS_FIELDS)
KM_ELEMENT_STRUCT(api_ip, KM_API_IP_FIELDS)

/* at: where the spec stands, "/spec" or "/spec/template/spec". */
#define KM_API_POD_SPEC_FIELDS(S, I, B, R, A, M, at) \
    A(init_containers, at "/initContainers", api_container, 2) \
    A(containers, at "/containers", api_container, KM_ITEMS_) \
    R(volumes, at "/volumes", 4 * KM_TEXT_) \
    S(restart_policy, at "/restartPolicy", 16) \
    R(termination_grace, at "/terminationGracePeriodSeconds", 24) \
    R(active_deadline, at "/activeDeadlineSeconds", 24) \
    S(dns_policy, at "/dnsPolicy", 32) \
    M(node_selector, at "/nodeSelector", api_label, KM_ITEMS_) \
    S(service_account, at "/serviceAccountName", 254) \
    R(automount_token, at "/automountServiceAccountToken", 8) \
    S(node_name, at "/nodeName", 254) \
    B(host_network, at "/hostNetwork") \
    B(host_pid, at "/hostPID") \
    B(host_ipc, at "/hostIPC") \
    R(security, at "/securityContext", KM_TEXT_) \
    A(image_pull_secrets, at "/imagePullSecrets", api_local_reference, 4) \
    S(hostname, at "/hostname", 64) \
    S(subdomain, at "/subdomain", 64) \
    R(affinity, at "/affinity", 2 * KM_TEXT_) \
    S(scheduler, at "/schedulerName", 254) \
    A(tolerations, at "/tolerations", api_toleration, KM_ITEMS_) \
    S(priority_class, at "/priorityClassName", 254) \
    R(priority, at "/priority", 16) \
    R(enable_service_links, at "/enableServiceLinks", 8) \
    S(runtime_class, at "/runtimeClassName", 254)
#define KM_API_POD_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    KM_API_POD_SPEC_FIELDS(S, I, B, R, A, M, "/spec") \
    S(phase, "/status/phase", 16) \
    S(reason, "/status/reason", 64) \
    S(message, "/status/message", KM_TEXT_) \
    A(conditions, "/status/conditions", api_condition, KM_ITEMS_) \
    A(container_statuses, "/status/containerStatuses", api_container_status, KM_ITEMS_) \
    A(init_container_statuses, "/status/initContainerStatuses", api_container_status, 2) \
    S(host_ip, "/status/hostIP", 64) \
    S(pod_ip, "/status/podIP", 64) \
    A(pod_ips, "/status/podIPs", api_ip, 4) \
    S(start_time, "/status/startTime", 32) \
    S(qos_class, "/status/qosClass", 16) \
    S(nominated_node, "/status/nominatedNodeName", 254)
KM_KIND_STRUCT(api_pod, KM_API_POD_FIELDS)

/* ---- Node ---- */

#define KM_API_TAINT_FIELDS(S, I, B, R, A, M) \
    S(key, "/key", 318) \
    S(value, "/value", 64) \
    S(effect, "/effect", 32) \
    S(added, "/timeAdded", 32)
#define KM_API_ADDRESS_FIELDS(S, I, B, R, A, M) S(type, "/type", 32) S(address, "/address", 254)
KM_ELEMENT_STRUCT(api_taint, KM_API_TAINT_FIELDS)
KM_ELEMENT_STRUCT(api_address, KM_API_ADDRESS_FIELDS)
#define KM_API_NODE_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    S(pod_cidr, "/spec/podCIDR", 64) \
    A(pod_cidrs, "/spec/podCIDRs", api_text, 4) \
    S(provider_id, "/spec/providerID", 254) \
    B(unschedulable, "/spec/unschedulable") \
    A(taints, "/spec/taints", api_taint, KM_ITEMS_) \
    M(capacity, "/status/capacity", api_quantity, 16) \
    M(allocatable, "/status/allocatable", api_quantity, 16) \
    A(conditions, "/status/conditions", api_condition, 16) \
    A(addresses, "/status/addresses", api_address, 16) \
    I(kubelet_port, "/status/daemonEndpoints/kubeletEndpoint/Port") \
    S(machine_id, "/status/nodeInfo/machineID", 64) \
    S(system_uuid, "/status/nodeInfo/systemUUID", 64) \
    S(boot_id, "/status/nodeInfo/bootID", 64) \
    S(kernel_version, "/status/nodeInfo/kernelVersion", 128) \
    S(os_image, "/status/nodeInfo/osImage", 128) \
    S(runtime_version, "/status/nodeInfo/containerRuntimeVersion", 64) \
    S(kubelet_version, "/status/nodeInfo/kubeletVersion", 64) \
    S(operating_system, "/status/nodeInfo/operatingSystem", 16) \
    S(architecture, "/status/nodeInfo/architecture", 16)
KM_KIND_STRUCT(api_node, KM_API_NODE_FIELDS)

/* ---- Namespace, ConfigMap, Secret, ServiceAccount ---- */

#define KM_API_NAMESPACE_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    A(spec_finalizers, "/spec/finalizers", api_text, 4) \
    S(phase, "/status/phase", 16) \
    A(conditions, "/status/conditions", api_condition, KM_ITEMS_)
KM_KIND_STRUCT(api_namespace, KM_API_NAMESPACE_FIELDS)

/* binary_data, and all of a Secret's data: base64 (km_base64_decode). */
#define KM_API_DATA_FIELDS(S, I, B, R, A, M) S(key, "", 254) S(value, "", KM_TEXT_)
KM_ELEMENT_STRUCT(api_data, KM_API_DATA_FIELDS)
#define KM_API_CONFIG_MAP_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    M(data, "/data", api_data, 2 * KM_ITEMS_) \
    M(binary_data, "/binaryData", api_data, KM_ITEMS_) \
    R(immutable, "/immutable", 8)
KM_KIND_STRUCT(api_config_map, KM_API_CONFIG_MAP_FIELDS)

#define KM_API_SECRET_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    S(type, "/type", 128) \
    M(data, "/data", api_data, 2 * KM_ITEMS_) \
    M(string_data, "/stringData", api_data, KM_ITEMS_) \
    R(immutable, "/immutable", 8)
KM_KIND_STRUCT(api_secret, KM_API_SECRET_FIELDS)

#define KM_API_SERVICE_ACCOUNT_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    A(secrets, "/secrets", api_reference, KM_ITEMS_) \
    A(image_pull_secrets, "/imagePullSecrets", api_local_reference, KM_ITEMS_) \
    R(automount_token, "/automountServiceAccountToken", 8)
KM_KIND_STRUCT(api_service_account, KM_API_SERVICE_ACCOUNT_FIELDS)

/* ---- Service ---- */

#define KM_API_SERVICE_PORT_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    S(protocol, "/protocol", 16) \
    R(app_protocol, "/appProtocol", 128) \
    I(port, "/port") \
    R(target_port, "/targetPort", 72) \
    I(node_port, "/nodePort")
#define KM_API_INGRESS_FIELDS(S, I, B, R, A, M) S(ip, "/ip", 64) S(hostname, "/hostname", 254)
KM_ELEMENT_STRUCT(api_service_port, KM_API_SERVICE_PORT_FIELDS)
KM_ELEMENT_STRUCT(api_ingress, KM_API_INGRESS_FIELDS)
#define KM_API_SERVICE_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    A(ports, "/spec/ports", api_service_port, KM_ITEMS_) \
    M(selector, "/spec/selector", api_label, KM_ITEMS_) \
    S(cluster_ip, "/spec/clusterIP", 64) \
    A(cluster_ips, "/spec/clusterIPs", api_text, 2) \
    S(type, "/spec/type", 16) \
    A(external_ips, "/spec/externalIPs", api_text, KM_ITEMS_) \
    S(external_name, "/spec/externalName", 254) \
    S(session_affinity, "/spec/sessionAffinity", 16) \
    S(external_traffic_policy, "/spec/externalTrafficPolicy", 16) \
    R(internal_traffic_policy, "/spec/internalTrafficPolicy", 16) \
    A(ip_families, "/spec/ipFamilies", api_text, 2) \
    R(ip_family_policy, "/spec/ipFamilyPolicy", 32) \
    B(publish_not_ready, "/spec/publishNotReadyAddresses") \
    A(ingress, "/status/loadBalancer/ingress", api_ingress, 4) \
    A(conditions, "/status/conditions", api_condition, KM_ITEMS_)
KM_KIND_STRUCT(api_service, KM_API_SERVICE_FIELDS)

/* ---- Event (events.k8s.io/v1), Lease ---- */

#define KM_API_EVENT_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    S(event_time, "/eventTime", 40) \
    I(series_count, "/series/count") \
    S(series_last, "/series/lastObservedTime", 40) \
    S(controller, "/reportingController", 254) \
    S(instance, "/reportingInstance", 254) \
    S(action, "/action", 128) \
    S(reason, "/reason", 128) \
    S(note, "/note", 1025) \
    S(type, "/type", 16) \
    S(regarding_api_version, "/regarding/apiVersion", 128) \
    S(regarding_kind, "/regarding/kind", 64) \
    S(regarding_ns, "/regarding/namespace", 64) \
    S(regarding_name, "/regarding/name", 254) \
    S(regarding_uid, "/regarding/uid", 64) \
    S(regarding_rv, "/regarding/resourceVersion", 32) \
    S(regarding_field_path, "/regarding/fieldPath", 128) \
    R(related, "/related", KM_TEXT_)
KM_KIND_STRUCT(api_event, KM_API_EVENT_FIELDS)

#define KM_API_LEASE_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    S(holder, "/spec/holderIdentity", 254) \
    R(duration_seconds, "/spec/leaseDurationSeconds", 16) \
    S(acquire_time, "/spec/acquireTime", 40) \
    S(renew_time, "/spec/renewTime", 40) \
    R(transitions, "/spec/leaseTransitions", 16) \
    S(strategy, "/spec/strategy", 64) \
    S(preferred_holder, "/spec/preferredHolder", 254)
KM_KIND_STRUCT(api_lease, KM_API_LEASE_FIELDS)

/* ---- CertificateSigningRequest ---- */

#define KM_API_CSR_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    S(request, "/spec/request", CONFIG_KM_TYPED_BUNDLE_BYTES) \
    S(signer, "/spec/signerName", 571) \
    R(expiration_seconds, "/spec/expirationSeconds", 16) \
    A(usages, "/spec/usages", api_text, 16) \
    S(username, "/spec/username", 254) \
    S(user_uid, "/spec/uid", 64) \
    A(groups, "/spec/groups", api_text, KM_ITEMS_) \
    A(conditions, "/status/conditions", api_condition, KM_ITEMS_) \
    S(certificate, "/status/certificate", CONFIG_KM_TYPED_BUNDLE_BYTES)
KM_KIND_STRUCT(api_csr, KM_API_CSR_FIELDS)

/* ---- Deployment ---- */

#define KM_API_DEPLOYMENT_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    R(replicas, "/spec/replicas", 16) \
    M(match_labels, "/spec/selector/matchLabels", api_label, KM_ITEMS_) \
    R(match_expressions, "/spec/selector/matchExpressions", KM_TEXT_) \
    M(template_labels, "/spec/template/metadata/labels", api_label, CONFIG_KM_TYPED_LABEL_COUNT) \
    M(template_annotations, "/spec/template/metadata/annotations", api_annotation, KM_ITEMS_) \
    KM_API_POD_SPEC_FIELDS(S, I, B, R, A, M, "/spec/template/spec") \
    S(strategy, "/spec/strategy/type", 16) \
    R(max_surge, "/spec/strategy/rollingUpdate/maxSurge", 16) \
    R(max_unavailable, "/spec/strategy/rollingUpdate/maxUnavailable", 16) \
    I(min_ready_seconds, "/spec/minReadySeconds") \
    R(history_limit, "/spec/revisionHistoryLimit", 16) \
    B(paused, "/spec/paused") \
    R(progress_deadline, "/spec/progressDeadlineSeconds", 16) \
    I(observed_generation, "/status/observedGeneration") \
    I(all_replicas, "/status/replicas") \
    I(updated_replicas, "/status/updatedReplicas") \
    I(ready_replicas, "/status/readyReplicas") \
    I(available_replicas, "/status/availableReplicas") \
    I(unavailable_replicas, "/status/unavailableReplicas") \
    A(conditions, "/status/conditions", api_condition, KM_ITEMS_)
KM_KIND_STRUCT(api_deployment, KM_API_DEPLOYMENT_FIELDS)

/* ---- CustomResourceDefinition ---- */

#define KM_API_COLUMN_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    S(type, "/type", 16) \
    S(format, "/format", 32) \
    S(description, "/description", 256) \
    I(priority, "/priority") \
    S(path, "/jsonPath", 256)
#define KM_API_CRD_VERSION_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 64) \
    B(served, "/served") \
    B(storage, "/storage") \
    B(deprecated, "/deprecated") \
    R(deprecation_warning, "/deprecationWarning", 258) \
    R(schema, "/schema/openAPIV3Schema", CONFIG_KM_TYPED_SCHEMA_BYTES) \
    R(subresources, "/subresources", KM_TEXT_) \
    A(columns, "/additionalPrinterColumns", api_column, KM_ITEMS_) \
    R(selectable_fields, "/selectableFields", KM_TEXT_)
KM_ELEMENT_STRUCT(api_column, KM_API_COLUMN_FIELDS)
KM_ELEMENT_STRUCT(api_crd_version, KM_API_CRD_VERSION_FIELDS)
#define KM_API_CRD_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) \
    S(group, "/spec/group", 254) \
    S(plural, "/spec/names/plural", 64) \
    S(singular, "/spec/names/singular", 64) \
    S(kind, "/spec/names/kind", 64) \
    S(list_kind, "/spec/names/listKind", 70) \
    A(short_names, "/spec/names/shortNames", api_text, 4) \
    A(categories, "/spec/names/categories", api_text, 4) \
    S(scope, "/spec/scope", 16) \
    A(versions, "/spec/versions", api_crd_version, 4) \
    R(conversion, "/spec/conversion", KM_TEXT_) \
    B(preserve_unknown, "/spec/preserveUnknownFields") \
    A(conditions, "/status/conditions", api_condition, KM_ITEMS_) \
    A(stored_versions, "/status/storedVersions", api_text, 8)
KM_KIND_STRUCT(api_crd, KM_API_CRD_FIELDS)

/* ---- Validating- and MutatingWebhookConfiguration ---- */

#define KM_API_RULE_FIELDS(S, I, B, R, A, M) \
    A(operations, "/operations", api_text, 5) \
    A(groups, "/apiGroups", api_text, KM_ITEMS_) \
    A(versions, "/apiVersions", api_text, 4) \
    A(resources, "/resources", api_text, KM_ITEMS_) \
    R(scope, "/scope", 16)
/* clang-format off: the two kinds differ in one field */
#define KM_API_WEBHOOK_COMMON_(S, I, B, R, A, M) \
    S(name, "/name", 254) \
    R(url, "/clientConfig/url", KM_TEXT_) \
    S(service_ns, "/clientConfig/service/namespace", 64) \
    S(service_name, "/clientConfig/service/name", 64) \
    R(service_path, "/clientConfig/service/path", 256) \
    R(service_port, "/clientConfig/service/port", 16) \
    S(ca_bundle, "/clientConfig/caBundle", CONFIG_KM_TYPED_BUNDLE_BYTES) \
    A(rules, "/rules", api_rule, KM_ITEMS_) \
    R(failure_policy, "/failurePolicy", 16) \
    R(match_policy, "/matchPolicy", 16) \
    R(namespace_selector, "/namespaceSelector", KM_TEXT_) \
    R(object_selector, "/objectSelector", KM_TEXT_) \
    R(side_effects, "/sideEffects", 32) \
    R(timeout_seconds, "/timeoutSeconds", 16) \
    A(review_versions, "/admissionReviewVersions", api_text, 4) \
    R(match_conditions, "/matchConditions", 2 * KM_TEXT_)
/* clang-format on */
#define KM_API_VALIDATING_WEBHOOK_FIELDS(S, I, B, R, A, M) KM_API_WEBHOOK_COMMON_(S, I, B, R, A, M)
#define KM_API_MUTATING_WEBHOOK_FIELDS(S, I, B, R, A, M) \
    KM_API_WEBHOOK_COMMON_(S, I, B, R, A, M) R(reinvocation_policy, "/reinvocationPolicy", 16)
KM_ELEMENT_STRUCT(api_rule, KM_API_RULE_FIELDS)
KM_ELEMENT_STRUCT(api_validating_webhook, KM_API_VALIDATING_WEBHOOK_FIELDS)
KM_ELEMENT_STRUCT(api_mutating_webhook, KM_API_MUTATING_WEBHOOK_FIELDS)
#define KM_API_VALIDATING_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) A(webhooks, "/webhooks", api_validating_webhook, 4)
#define KM_API_MUTATING_FIELDS(S, I, B, R, A, M) \
    KM_API_META_FIELDS(S, I, B, R, A, M) A(webhooks, "/webhooks", api_mutating_webhook, 4)
KM_KIND_STRUCT(api_validating, KM_API_VALIDATING_FIELDS)
KM_KIND_STRUCT(api_mutating, KM_API_MUTATING_FIELDS)

/* ---- what a kind is to the server ---- */

/* A program's own: {{"example.com", "v1", "widgets"}, "example.com/v1", true, &km_kind_widget}. The record's kind names the
   kind ("Widget"). */
struct km_type {
    struct km_resource resource;
    const char *api_version;
    bool namespaced;
    const struct km_kind *kind;
};

extern const struct km_type km_type_pod, km_type_node, km_type_namespace, km_type_config_map,
    km_type_secret, km_type_service_account, km_type_service, km_type_event, km_type_lease,
    km_type_csr, km_type_deployment, km_type_crd, km_type_validating, km_type_mutating;
/* All of them, NULL at the end. */
extern const struct km_type *const km_types[];

/* A record as the JSON of an object, apiVersion and kind in front: what create, update and apply send. Errors as
   km_json_encode. */
int km_type_encode(const struct km_type *type, const void *record, struct km_buf *out);

#endif
