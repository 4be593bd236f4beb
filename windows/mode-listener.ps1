<#
.SYNOPSIS
Answers the router over HTTP whether somebody plays on this PC.

.DESCRIPTION
GET / and GET /mode answer {"mode":"NORMAL"} or {"mode":"GAMING"}, with "available":false while the model sleeps or is
stopped. Both files in the folder of the installation are read anew for every request: mode.txt (missing: NORMAL) and
model.txt (missing: AWAKE). Any other word in them is a 500: the router then takes the mode for unknown and keeps away.

It runs as a scheduled task of the user who is logged on; install.ps1 sets it up. No rights of an administrator are
needed, since a urlacl lets this user listen.

.PARAMETER Root
The folder of the installation: otherwise the one that this script is installed in, or C:\llm.
.PARAMETER Port
The port. 0 takes the one in settings.json.
.PARAMETER HostName
What of this PC is listened on. + is every name, which is what the urlacl of install.ps1 allows.
.PARAMETER MaxRequests
Ends after so many requests, for trying it out. 0 never ends.

.EXAMPLE
.\mode-listener.ps1 -Root C:\llm
.EXAMPLE
.\mode-listener.ps1 -Root . -Port 18099 -HostName localhost -MaxRequests 1
#>
[CmdletBinding()]
param(
    [string] $Root = '',
    [int] $Port = 0,
    [string] $HostName = '+',
    [int] $MaxRequests = 0
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force
$Root = Get-Root -Root $Root -ScriptFolder $PSScriptRoot

function Send-Answer {
    # Writes the answer and lets go of the request, whatever the client does meanwhile.
    param($Context, [int] $Status, [string] $Body)
    $response = $Context.Response
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($Body)
    $response.StatusCode = $Status
    $response.ContentType = 'application/json'
    $response.Headers.Add('Cache-Control', 'no-store')
    if ($Status -eq 405) { $response.Headers.Add('Allow', 'GET, HEAD') }
    $response.ContentLength64 = $bytes.Length
    if ($Context.Request.HttpMethod -ceq 'HEAD') {
        $response.Close()
    } else {
        # not blocking: a client that takes nothing holds up nobody
        $response.Close($bytes, $false)
    }
}

function Get-Answer {
    # What is answered to a request: Status and Body.
    param($Request, [string] $Root)
    $status = Get-RequestStatus -Method $Request.HttpMethod -Path $Request.Url.AbsolutePath
    if ($status -eq 404) { return @{ Status = 404; Body = '{"error":"only / and /mode are here"}' } }
    if ($status -eq 405) { return @{ Status = 405; Body = '{"error":"the mode is read here; set-mode.ps1 sets it"}' } }
    try {
        return Get-ModeAnswer -ModeText (Read-StateFile -Path (Join-Path $Root 'mode.txt')) `
            -ModelText (Read-StateFile -Path (Join-Path $Root 'model.txt'))
    } catch {
        return @{ Status = 500; Body = '{"error":"the mode cannot be read"}'; Reason = $_.Exception.Message }
    }
}

if ($Port -eq 0) { $Port = [int](Get-Settings -Root $Root).modePort }
$log = Join-Path (Join-Path $Root 'logs') 'mode-listener.log'
$listener = New-Object System.Net.HttpListener
$prefix = "http://${HostName}:$Port/"
$listener.Prefixes.Add($prefix)
try {
    $listener.Start()
} catch {
    Write-Log -Path $log -Message "cannot listen on ${prefix}: $($_.Exception.Message)"
    throw "cannot listen on ${prefix}: $($_.Exception.Message) (install.ps1 allows it with a urlacl; does another program have the port?)"
}
Write-Log -Path $log -Message "listening on $prefix"
$served = 0
$last = ''
try {
    while ($MaxRequests -eq 0 -or $served -lt $MaxRequests) {
        try {
            $context = $listener.GetContext()
        } catch {
            if (-not $listener.IsListening) { throw }
            Write-Log -Path $log -Message "a request was lost: $($_.Exception.Message)"
            Start-Sleep -Milliseconds 100
            continue
        }
        $served++
        try {
            $answer = Get-Answer -Request $context.Request -Root $Root
            Send-Answer -Context $context -Status $answer.Status -Body $answer.Body
            # The router asks every second: only what is new is worth a line.
            $now = "$($answer.Status) $($answer.Body)"
            if ($answer.ContainsKey('Reason')) { $now = "$now ($($answer.Reason))" }
            if ($answer.Status -ne 404 -and $answer.Status -ne 405 -and $now -ne $last) {
                Write-Log -Path $log -Message "answers $now"
                $last = $now
            }
        } catch {
            Write-Log -Path $log -Message "an answer was not taken: $($_.Exception.Message)"
            $context.Response.Abort()
        }
    }
} finally {
    $listener.Close()
    Write-Log -Path $log -Message 'stopped'
}
