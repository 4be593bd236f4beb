<#
.SYNOPSIS
Leads the port of vLLM on this PC to the present address of WSL.

.DESCRIPTION
WSL's address changes with every start of it; the portproxy rule does not. This compares, and replaces its own rule only
where it is wrong. Other rules are left alone: one that is in the way is named. In mirrored networking no rule is needed,
and an own one of former times is taken away. It does not start WSL: while that does not run there is nothing to lead to.

It runs as a scheduled task, with the rights of an administrator: at log-on, when a network is connected, and every few
minutes. Ends with 0 when all is right, else with 1; the log says what was wrong.

.PARAMETER Root
The folder of the installation: otherwise the one that this script is installed in, or C:\llm.
.PARAMETER Attempts
How often it is looked for WSL, and asked for its address, two seconds apart, while it starts.

.EXAMPLE
.\refresh-portproxy.ps1
.EXAMPLE
.\refresh-portproxy.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string] $Root = '',
    [ValidateRange(1, 100)] [int] $Attempts = 20
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force
$Root = Get-Root -Root $Root -ScriptFolder $PSScriptRoot

$log = Join-Path (Join-Path $Root 'logs') 'portproxy.log'
# What this script added last. In bin, where only an administrator can write: it says which rule is ours.
$memory = Join-Path (Join-Path $Root 'bin') 'portproxy.json'

function Get-Remembered {
    # The rule that is ours; $null where there is none.
    $text = Read-StateFile -Path $memory
    if ($null -eq $text) { return $null }
    return ConvertFrom-JsonOrNull -Text $text
}

function Wait-Wsl {
    # $true once WSL runs: at log-on it is just being started.
    param($Settings)
    $attempt = 0
    while ($true) {
        $attempt++
        if (Test-WslRuns -Distribution $Settings.distribution) { return $true }
        if ($attempt -ge $Attempts) { return $false }
        Start-Sleep -Seconds 2
    }
}

function Wait-WantedRule {
    # The rule that has to stand, once WSL has an address; $null where it gets none.
    param($Settings)
    $attempt = 0
    while ($true) {
        $attempt++
        $wanted = Get-WantedRule -Settings $Settings
        if ($null -ne $wanted -or $attempt -ge $Attempts) { return $wanted }
        Start-Sleep -Seconds 2
    }
}

function Start-Helper {
    # portproxy is the work of the service iphlpsvc ("IP Helper").
    if ((Get-Service -Name 'iphlpsvc').Status -eq 'Running') { return }
    if ($PSCmdlet.ShouldProcess('iphlpsvc', 'start the service')) {
        Start-Service -Name 'iphlpsvc'
        Write-Log -Path $log -Message 'started the service iphlpsvc'
    }
}

function Invoke-Netsh {
    # One change of ours. netsh does not throw: its exit code counts.
    param([string] $Verb, $Rule)
    $arguments = Get-PortproxyArguments -Verb $Verb -Rule $Rule
    if (-not $PSCmdlet.ShouldProcess("$($Rule.ListenAddress):$($Rule.ListenPort)", "netsh $($arguments -join ' ')")) { return }
    $done = Invoke-Native -File 'netsh.exe' -Arguments $arguments
    if ($done.Code -ne 0) { throw "netsh $($arguments -join ' ') failed: $($done.Lines -join ' ') (as administrator?)" }
    Write-Log -Path $log -Message "$Verb $($Rule.ListenAddress):$($Rule.ListenPort) to $($Rule.ConnectAddress):$($Rule.ConnectPort)"
}

function Set-Remembered {
    # Notes which rule is ours; $null: none.
    param($Rule)
    if (-not $PSCmdlet.ShouldProcess($memory, 'note which rule is ours')) { return }
    if ($null -eq $Rule) { Remove-StateFile -Path $memory; return }
    Write-StateFile -Path $memory -Text ($Rule | ConvertTo-Json -Compress)
}

function Update-Portproxy {
    # Compares and changes. A rule that is exactly the wanted one is taken over.
    param($Wanted)
    $remembered = Get-Remembered
    $plan = Get-PortproxyPlan -Rules (Get-PortproxyRules) -Wanted $Wanted -Remembered $remembered
    if ($null -ne $plan.Conflict) {
        $delete = (Get-PortproxyArguments -Verb 'delete' -Rule $plan.Conflict) -join ' '
        throw "a rule that is not ours listens on $($plan.Conflict.ListenAddress):$($plan.Conflict.ListenPort). If nobody needs it: netsh $delete"
    }
    if ($null -ne $plan.Delete) { Invoke-Netsh -Verb 'delete' -Rule $plan.Delete }
    # Noted before it is added: a rule of ours that is forgotten would be in our own way.
    if (-not (Test-SameNote -One $remembered -Other $Wanted)) { Set-Remembered -Rule $Wanted }
    if ($null -ne $plan.Add) { Invoke-Netsh -Verb 'add' -Rule $plan.Add }
}

function Test-SameNote {
    # Whether two rules, or none, are the same.
    param($One, $Other)
    if ($null -eq $One -or $null -eq $Other) { return ($null -eq $One -and $null -eq $Other) }
    return (Test-SameRule -One $One -Other $Other)
}

try {
    $settings = Get-Settings -Root $Root
    if (-not (Wait-Wsl -Settings $settings)) {
        Write-Output "WSL ($($settings.distribution)) does not run: nothing to lead to."
        exit 0
    }
    $networking = Get-NetworkingMode -Distribution $settings.distribution
    $wanted = $null
    if ($networking -eq 'nat') {
        Start-Helper
        $wanted = Wait-WantedRule -Settings $settings
        if ($null -eq $wanted) { throw "no address: WSL ($($settings.distribution)) or this PC has none towards $($settings.router)" }
    }
    Update-Portproxy -Wanted $wanted
    if (-not $WhatIfPreference) { Write-Output "portproxy is right (networking: $networking)." }
} catch {
    Write-Log -Path $log -Message $_.Exception.Message
    Write-Warning $_.Exception.Message
    exit 1
}
exit 0
