{{/*
Names and labels. Every helper here takes the chart's root context; those of a
component take a dict with "root" and "component" (controllers or webhook).
*/}}

{{/* Prefix of every name: the release's, unless another is asked for. */}}
{{- define "catalog.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name -}}
{{- end -}}

{{/* Secret with the serving certificate. */}}
{{- define "catalog.certSecret" -}}
{{- .Values.webhook.certSecret | default (printf "%s-webhook-cert" (include "catalog.fullname" .)) -}}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "catalog.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* ServiceAccount of a component. */}}
{{- define "catalog.serviceAccount" -}}
{{- $of := (get .root.Values .component).serviceAccount -}}
{{- $of.name | default (printf "%s-%s" (include "catalog.fullname" .root) .component) -}}
{{- end -}}

{{/* User name under which a component is known to the API server. */}}
{{- define "catalog.username" -}}
{{- printf "system:serviceaccount:%s:%s" .root.Release.Namespace (include "catalog.serviceAccount" .) -}}
{{- end -}}

{{/* Labels by which Services, budgets and spreading choose a component's Pods. */}}
{{- define "catalog.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "catalog.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: service-catalog
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a component's objects. */}}
{{- define "catalog.componentLabels" -}}
{{ include "catalog.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}
