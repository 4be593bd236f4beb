<#
.SYNOPSIS
Checks each piece of this PC's part in the house, and says what is wrong and how to mend it.

.DESCRIPTION
Changes nothing. As administrator it sees all; without, a few checks cannot look. Ends with 0 when nothing is bad, else
with 1. "look" is nothing broken, but something that somebody should know.

.PARAMETER Root
The folder of the installation: otherwise the one that this script is installed in, or C:\llm.
.PARAMETER Json
Print the checks as JSON.

.EXAMPLE
.\verify.ps1
#>
[CmdletBinding()]
param(
    [switch] $Json,
    [string] $Root = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force
$Root = Get-Root -Root $Root -ScriptFolder $PSScriptRoot

function Get-EndpointChecks {
    # The files, the endpoint that reads them, and who may listen.
    param($Settings)
    $expected = Get-ModeAnswer -ModeText (Read-StateFile -Path (Join-Path $Root 'mode.txt')) -ModelText (Read-StateFile -Path (Join-Path $Root 'model.txt'))
    $answer = Invoke-Http -Method 'GET' -Url "http://localhost:$($Settings.modePort)/" -Seconds 2
    Get-EndpointCheck -Status $answer.Status -Body $answer.Text -Expected $expected
    $prefix = Get-UrlPrefix -Port $Settings.modePort
    $shown = Invoke-Native -File 'netsh.exe' -Arguments @('http', 'show', 'urlacl', "url=$prefix")
    $state = Test-UrlAcl -Lines $shown.Lines -Prefix $prefix -Sddl (Get-UrlAclSddl -UserSid $Settings.userSid)
    $level = 'bad'
    if ($state -eq 'right') { $level = 'ok' }
    New-Check -Name 'urlacl' -Level $level -Found $state -Mend 'Run install.ps1 again, as the user who plays.'
    $token = Read-StateFile -Path (Join-Path $Root 'gate-token.txt')
    $level = 'ok'
    $found = 'there'
    if ($null -eq $token) { $level = 'look'; $found = 'missing' }
    New-Check -Name 'gate token' -Level $level -Found $found -Mend 'Without it a mode takes up to a second to hold, and -Wait asks vLLM alone. README.md: The token.'
}

function Get-FirewallChecks {
    # The rules of our names.
    param($Settings)
    foreach ($wanted in (Get-FirewallRules -Settings $Settings)) {
        $found = $null
        $rule = Get-NetFirewallRule -Name $wanted.Name -ErrorAction SilentlyContinue
        if ($null -ne $rule) {
            $found = @{ Enabled = [string]$rule.Enabled; Action = [string]$rule.Action
                LocalPort = [string]($rule | Get-NetFirewallPortFilter).LocalPort
                RemoteAddress = [string]($rule | Get-NetFirewallAddressFilter).RemoteAddress }
        }
        Get-FirewallCheck -Wanted $wanted -Found $found
    }
}

function Get-TaskChecks {
    # The scheduled tasks.
    foreach ($task in (Get-Tasks -Root $Root)) {
        $found = Get-ScheduledTask -TaskPath '\sluice\' -TaskName $task.Name -ErrorAction SilentlyContinue
        $state = $null
        $last = 0
        if ($null -ne $found) {
            $state = [string]$found.State
            $last = [long](Get-ScheduledTaskInfo -TaskPath '\sluice\' -TaskName $task.Name).LastTaskResult
        }
        Get-TaskCheck -Name $task.Name -Lasts (-not $task.Highest) -State $state -LastResult $last
    }
}

function Get-WslChecks {
    # The service, the distribution, the way to it.
    param($Settings)
    $service = [string](Get-Service -Name 'iphlpsvc').Status
    $level = 'bad'
    if ($service -eq 'Running') { $level = 'ok' }
    New-Check -Name 'service iphlpsvc' -Level $level -Found $service -Mend 'As administrator: Start-Service iphlpsvc'
    if (-not (Test-WslRuns -Distribution $Settings.distribution)) {
        New-Check -Name 'WSL' -Level 'bad' -Found "$($Settings.distribution) does not run" -Mend 'Start-ScheduledTask -TaskPath \sluice\ -TaskName "WSL"; then see logs\wsl.log.'
        return
    }
    New-Check -Name 'WSL' -Level 'ok' -Found "$($Settings.distribution) runs"
    Get-PortproxyCheck -Networking (Get-NetworkingMode -Distribution $Settings.distribution) -Rules (Get-PortproxyRules) -Wanted (Get-WantedRule -Settings $Settings)
}

function Get-VllmChecks {
    # vLLM from inside, from the LAN's side, and what must not be reached from there.
    param($Settings)
    $model = Get-ModelWord -Text (Read-StateFile -Path (Join-Path $Root 'model.txt'))
    if ($model -eq 'STOPPED') {
        New-Check -Name 'vLLM' -Level 'look' -Found 'stopped by set-mode.ps1' -Mend 'set-mode.ps1 NORMAL brings it back.'
        return
    }
    $inside = Invoke-Vllm -Settings $Settings -Method 'GET' -Path '/health' -Seconds 5
    $level = 'bad'
    if ($inside.Status -eq 200) { $level = 'ok' }
    New-Check -Name 'vLLM in WSL' -Level $level -Found "/health answers $($inside.Status)" -Mend "In WSL: docker ps; docker logs $($Settings.container)"
    $sleeps = Test-VllmSleeps -Settings $Settings
    $level = 'ok'
    if (($model -eq 'ASLEEP') -ne ($sleeps -eq 'yes')) { $level = 'bad' }
    New-Check -Name 'sleep' -Level $level -Found "model.txt says $model; asleep: $sleeps" -Mend 'set-mode.ps1 NORMAL sets both right.'
    $address = [string]$Settings.listenAddress
    if ($address -eq '') { $address = Get-LanAddress -RouterAddress $Settings.router }
    $lan = Invoke-Http -Method 'GET' -Url "http://${address}:$($Settings.listenPort)/health" -Seconds 5
    $level = 'bad'
    if ($lan.Status -eq 200) { $level = 'ok' }
    New-Check -Name 'vLLM from the LAN' -Level $level -Found "http://${address}:$($Settings.listenPort)/health answers $($lan.Status)" -Mend 'See the checks of portproxy and firewall, then the door: docker logs vllm-door in WSL.'
    Get-DevelopmentCheck -Status (Invoke-Http -Method 'GET' -Url "http://${address}:$($Settings.listenPort)/is_sleeping" -Seconds 5).Status
}

function Get-PcChecks {
    # What the PC does by itself: sleep, updates, the driver.
    foreach ($setting in @(@('standby', 'STANDBYIDLE'), @('hibernation', 'HIBERNATEIDLE'))) {
        $asked = Invoke-Native -File 'powercfg.exe' -Arguments @('/query', 'SCHEME_CURRENT', 'SUB_SLEEP', $setting[1])
        Get-SleepCheck -Name $setting[0] -Seconds (ConvertFrom-PowerSetting -Lines $asked.Lines)
    }
    $key = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
    $level = 'look'
    $found = 'after a restart nothing runs until somebody logs on'
    $auto = (Get-ItemProperty -Path $key).PSObject.Properties['AutoAdminLogon']
    if ($null -ne $auto -and [string]$auto.Value -eq '1') { $level = 'ok'; $found = 'automatic' }
    New-Check -Name 'log-on after updates' -Level $level -Found $found -Mend 'Settings, Accounts, Sign-in options: "Use my sign-in info to automatically finish setting up after an update". README.md: Updates.'
    New-Check -Name 'NVIDIA memory fall-back' -Level 'look' -Found 'cannot be read by a script' -Mend 'NVIDIA Control Panel, Manage 3D settings, "CUDA - Sysmem Fallback Policy": Prefer No Sysmem Fallback. README.md: The card.'
}

function Get-HouseChecks {
    # The router: whether it answers, and what it says of this PC's model.
    param($Settings)
    $alive = Invoke-Http -Method 'GET' -Url "$($Settings.admin)/livez" -Seconds 5
    $level = 'look'
    if ($alive.Status -eq 200) { $level = 'ok' }
    New-Check -Name 'admin listener' -Level $level -Found "$($Settings.admin)/livez answers $($alive.Status)" -Mend 'A mode can only be pushed when "listen: admin" in sluice.yaml is an address of the LAN. README.md: The token.'
    $asked = Invoke-Http -Method 'GET' -Url "$($Settings.proxy)/v1/models/$($Settings.model)" -Seconds 5
    $mode = Get-ModeWord -Text (Read-StateFile -Path (Join-Path $Root 'mode.txt'))
    Get-RouterCheck -Status $asked.Status -Entry (Get-ModelEntry -Text $asked.Text) -Mode $mode
}

function Invoke-Group {
    # The checks of one group; what it cannot look at is told, and stops no other.
    param([string] $Name, [scriptblock] $Group)
    try {
        & $Group
    } catch {
        New-Check -Name $Name -Level 'bad' -Found $_.Exception.Message -Mend 'Run this as administrator; if it says the same, run install.ps1 again.'
    }
}

$settings = Get-Settings -Root $Root
$checks = @(
    Invoke-Group -Name 'endpoint' -Group { Get-EndpointChecks -Settings $settings }
    Invoke-Group -Name 'firewall' -Group { Get-FirewallChecks -Settings $settings }
    Invoke-Group -Name 'tasks' -Group { Get-TaskChecks }
    Invoke-Group -Name 'WSL' -Group { Get-WslChecks -Settings $settings }
    Invoke-Group -Name 'vLLM' -Group { Get-VllmChecks -Settings $settings }
    Invoke-Group -Name 'PC' -Group { Get-PcChecks }
    Invoke-Group -Name 'house' -Group { Get-HouseChecks -Settings $settings }
)
if ($Json) {
    Write-Output (ConvertTo-Json -InputObject $checks)
} else {
    foreach ($check in $checks) {
        Write-Output ('{0,-5} {1,-24} {2}' -f $check.Level, $check.Name, $check.Found)
        if ($check.Mend -ne '') { Write-Output ('{0,-30} {1}' -f '', "-> $($check.Mend)") }
    }
}
$bad = @($checks | Where-Object { $_.Level -eq 'bad' })
if ($bad.Count -gt 0) { exit 1 }
exit 0
