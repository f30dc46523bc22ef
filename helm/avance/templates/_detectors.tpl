{{- define "avance.detectors.name" -}}
{{- printf "%s-detectors" (include "avance.fullname" . | trunc 53 | trimSuffix "-") }}
{{- end }}

{{- define "avance.detectors.namespace" -}}
{{- default .Release.Namespace .Values.detectors.namespace }}
{{- end }}

{{- /* Cluster-wide objects have one fixed name, as those of the operator. */}}
{{- define "avance.detectors.clusterName" -}}
avance-detectors
{{- end }}

{{- define "avance.detectors.selectorLabels" -}}
app.kubernetes.io/name: {{ include "avance.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: detectors
{{- end }}

{{- define "avance.detectors.labels" -}}
{{ include "avance.detectors.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: avance
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "avance.detectors.image" -}}
{{- .Values.detectors.image.repository }}:{{ default .Chart.AppVersion .Values.detectors.image.tag }}
{{- with .Values.detectors.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* What each node has to be told (detectors/settings.py): its peer is the other node of the pair. */}}
{{- define "avance.detectors.settings" -}}
{{- $nodes := dict }}
{{- range $pair := .Values.detectors.pairs }}
  {{- range $index, $node := $pair.nodes }}
    {{- if hasKey $nodes $node.name }}
      {{- fail (printf "detectors.pairs names the node %s twice: a node is in one pair" $node.name) }}
    {{- end }}
    {{- $peer := index $pair.nodes (sub 1 $index | int) }}
    {{- $way := dict "name" $peer.name "private_interface" $node.privateInterface "private_address" $peer.privateAddress "public_address" $peer.publicAddress }}
    {{- $_ := set $nodes $node.name (dict "peer" $way "public_interfaces" (default list $node.publicInterfaces)) }}
  {{- end }}
{{- end }}
{{- $limits := .Values.detectors.limits }}
{{- dict "nodes" $nodes
  "replica_storage" (ne .Values.detectors.replicaStorage "None")
  "limits" (dict
    "corrected_errors_per_day" ($limits.correctedErrorsPerDay | int)
    "network_errors_per_minute" ($limits.networkErrorsPerMinute | int)
    "missed_probes" ($limits.missedProbes | int))
  | toPrettyJson }}
{{- end }}
