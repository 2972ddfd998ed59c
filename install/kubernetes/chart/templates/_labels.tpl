{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}

{{- /* Labels of every object: those that it has without Helm, and Helm's own. */ -}}
{{- define "runc-trace.labels" -}}
app.kubernetes.io/name: runc-trace
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "runc-trace.image" -}}
{{- with .Values.image }}
{{- if .digest }}
image: {{ printf "%s@%s" .repository .digest | quote }}
{{- else }}
image: {{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) | quote }}
{{- end }}
{{- end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- /* One argument, whatever is in it: no quotes, spaces or $(VARIABLES) mean anything to anybody but the command. */ -}}
{{- define "runc-trace.restart" -}}
{{- with .Values.restartCommand -}}
- {{ printf "--restart-command=%s" . | replace "$(" "$$(" | toJson }}
{{- else -}}
- --restart
{{- end -}}
{{- end -}}

{{- /* What install and uninstall need to reach the host. */ -}}
{{- define "runc-trace.privileged" -}}
terminationMessagePath: /dev/termination-log
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  privileged: true
  runAsUser: 0
  readOnlyRootFilesystem: true
{{- end -}}
