{{/* What the pods of instances and Jobs have in common. */}}
{{- define "hasync.podCommon" -}}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
# Variables that Kubernetes makes of Services may begin with HASYNC_, and hasync refuses unknown ones.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "hasync.imageLines" -}}
image: {{ include "hasync.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{/* Environment of every container that runs hasync. */}}
{{- define "hasync.environment" -}}
env:
  - name: HASYNC_MEMBER_ID
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  # The image has this variable, too, and variables win over the file.
  - name: HASYNC_HTTP__HOST
    value: {{ dig "http" "host" "0.0.0.0" .Values.config | quote }}
  # Pods of a Deployment have names that nobody can look up.
  - name: HASYNC_HTTP__ADVERTISE
    valueFrom:
      fieldRef:
        fieldPath: status.podIP
  - name: HASYNC_SETTINGS_FILE
    value: /etc/hasync/settings/settings.yaml
  {{- with .Values.extraEnv }}
  {{- include "hasync.tpl" (dict "root" $ "value" .) | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- include "hasync.tpl" (dict "root" $ "value" .) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A container of a Job. Takes (dict "root" $ "name" … "args" (list …) "documents" bool). */}}
{{- define "hasync.jobContainer" -}}
{{- $root := .root -}}
- name: {{ .name }}
  {{- include "hasync.imageLines" $root | nindent 2 }}
  args: {{ toJson .args }}
  {{- include "hasync.environment" $root | nindent 2 }}
  securityContext:
    {{- toYaml $root.Values.securityContext | nindent 4 }}
  {{- with $root.Values.setup.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    {{- include "hasync.mounts" $root | nindent 4 }}
    {{- if .documents }}
    - name: streams
      mountPath: /etc/hasync/streams
      readOnly: true
    {{- end }}
{{- end -}}

{{- define "hasync.mounts" -}}
- name: settings
  mountPath: /etc/hasync/settings
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- include "hasync.secretMounts" . }}
{{- with .Values.extraVolumeMounts }}
{{ include "hasync.tpl" (dict "root" $ "value" .) }}
{{- end }}
{{- end -}}

{{/* Volumes. Takes (dict "root" $ "settings" name of the ConfigMap "secret" name of the shared Secret). */}}
{{- define "hasync.volumes" -}}
- name: settings
  configMap:
    name: {{ .settings }}
    items:
      - {key: settings.yaml, path: settings.yaml}
- name: tmp
  emptyDir: {}
{{- include "hasync.secretVolumes" (dict "root" .root "shared" .secret) }}
{{- with .root.Values.extraVolumes }}
{{ include "hasync.tpl" (dict "root" $.root "value" .) }}
{{- end }}
{{- end -}}

{{/* Name of the ConfigMap with settings.yaml. */}}
{{- define "hasync.settingsName" -}}
{{- default (include "hasync.fullname" .) (tpl .Values.existingConfigMap .) -}}
{{- end -}}

{{/* hook or job. */}}
{{- define "hasync.setupMode" -}}
{{- if eq .Values.setup.mode "auto" -}}{{- ternary "job" "hook" .Values.demo.enabled -}}{{- else -}}{{- .Values.setup.mode -}}{{- end -}}
{{- end -}}
