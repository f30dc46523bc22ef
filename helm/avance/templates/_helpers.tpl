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

{{- /* How the API server calls the operator. */}}
{{- define "avance.userName" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "avance.serviceAccountName" . }}
{{- end }}

{{- /* The version of MutatingAdmissionPolicy that the cluster serves; empty where it knows none, or shall have none. */}}
{{- define "avance.mutatingVersion" -}}
{{- if .Values.admissionPolicy.enabled }}
{{- range (list "v1" "v1beta1") }}
{{- if $.Capabilities.APIVersions.Has (printf "admissionregistration.k8s.io/%s/MutatingAdmissionPolicy" .) }}
{{- printf "%s " . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /*
The annotation avance.dev/edits as it was (`before`), is (`now`), and has to be (`after`): a line `<generation> <user>` for each of the
latest 16 edits of the spec.
*/}}
{{- define "avance.editVariables" -}}
variables:
  - name: isNew
    expression: request.operation == 'CREATE'
  - name: generation
    expression: 'variables.isNew ? 1 : oldObject.metadata.generation + 1'
  - name: before
    expression: >-
      !variables.isNew && has(oldObject.metadata.annotations) && 'avance.dev/edits' in oldObject.metadata.annotations
      ? oldObject.metadata.annotations['avance.dev/edits'] : ''
  - name: kept
    expression: >-
      variables.before.split('\n').filter(line, line.matches('^[0-9]{1,15} .+$') &&
      int(line.split(' ')[0]) < variables.generation && int(line.split(' ')[0]) > variables.generation - 16)
  - name: after
    expression: >-
      variables.isNew || object.spec != oldObject.spec
      ? (variables.kept + [string(variables.generation) + ' ' + request.userInfo.username.replace('\n', ' ')]).join('\n')
      : variables.before
  - name: hasAny
    expression: has(object.metadata.annotations)
  - name: now
    expression: >-
      variables.hasAny && 'avance.dev/edits' in object.metadata.annotations
      ? object.metadata.annotations['avance.dev/edits'] : ''
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
