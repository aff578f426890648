{{- define "idp-bridge.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "idp-bridge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "idp-bridge.labels" -}}
{{ include "idp-bridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Whether several replicas may run. A file can be used by one process only. */}}
{{- define "idp-bridge.scales" -}}
{{- if eq .Values.store.type "redis" }}true{{ else if ne .Values.store.type "file" }}{{ fail "store.type is `file` or `redis`" }}{{ else if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}{{ fail "several replicas need `store.type: redis`: two processes cannot use one file" }}{{ end }}
{{- end }}
