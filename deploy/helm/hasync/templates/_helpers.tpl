{{/* Name of the chart. */}}
{{- define "hasync.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 46 | trimSuffix "-" -}}
{{- end -}}

{{/* Beginning of all names; short enough for what is appended (63 characters are a label). */}}
{{- define "hasync.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" -}}
{{- else if contains (include "hasync.name" .) .Release.Name -}}
{{- .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hasync.name" .) | trunc 46 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hasync.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "hasync.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes: a Deployment's selector is immutable. */}}
{{- define "hasync.identity" -}}
app.kubernetes.io/name: {{ include "hasync.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hasync.selectorLabels" -}}
{{ include "hasync.identity" . }}
app.kubernetes.io/component: instance
{{- end -}}

{{/* Labels of an object. Takes (dict "root" $ "component" "…"). */}}
{{- define "hasync.labels" -}}
{{- with .root -}}
helm.sh/chart: {{ include "hasync.chart" . }}
{{ include "hasync.identity" . }}
app.kubernetes.io/component: {{ $.component }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hasync
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Renders templates in a value, of any type. Takes (dict "root" $ "value" …). */}}
{{- define "hasync.tpl" -}}
{{- $text := .value -}}
{{- if not (kindIs "string" .value) -}}{{- $text = toYaml .value -}}{{- end -}}
{{- if contains "{{" $text -}}{{- tpl $text .root -}}{{- else -}}{{- $text -}}{{- end -}}
{{- end -}}

{{/* The annotations of an object, under its metadata; nothing when there are none. Takes (dict "root" $ "own" (dict …)). */}}
{{- define "hasync.annotations" -}}
{{- with merge (dict) (.own | default dict) .root.Values.commonAnnotations }}
  annotations:
    {{- include "hasync.tpl" (dict "root" $.root "value" .) | nindent 4 }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: without the chart's version, or each new chart would replace all instances. */}}
{{- define "hasync.podLabels" -}}
{{- with .root -}}
{{ include "hasync.identity" . }}
app.kubernetes.io/component: {{ $.component }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hasync
{{- with merge (dict) .Values.podLabels .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "hasync.image" -}}
{{- $image := .Values.image -}}
{{- $name := $image.repository -}}
{{- with $image.registry -}}{{- $name = printf "%s/%s" . $name -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "hasync.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hasync.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}
