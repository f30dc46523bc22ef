{{- define "avance.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "avance.fullname" -}}
{{- $name := include "avance.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Cluster-wide objects have one fixed name: a second operator in the cluster is a mistake that must fail at installation. */}}
{{- define "avance.clusterName" -}}
avance-operator
{{- end }}

{{- /* The Lease by which the replicas elect their leader. The operator knows it by this name. */}}
{{- define "avance.leaseName" -}}
avance-operator
{{- end }}

{{- define "avance.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "avance.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name must name an existing ServiceAccount when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "avance.image" -}}
{{- .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "avance.selectorLabels" -}}
app.kubernetes.io/name: {{ include "avance.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "avance.labels" -}}
{{ include "avance.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: avance
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "avance.subjects" -}}
- kind: ServiceAccount
  name: {{ include "avance.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
