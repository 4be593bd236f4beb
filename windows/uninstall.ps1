<#
.SYNOPSIS
Takes away what install.ps1 has made: tasks, portproxy rule, firewall rules, urlacl, shortcuts; with -Files its folder too.

.DESCRIPTION
Run it in a PowerShell as administrator. Only what carries its own name is touched. WSL, the container and the service
iphlpsvc stay as they are.

.PARAMETER Root
The folder of the installation.
.PARAMETER Files
Delete the folder too: mode, settings, token and logs.

.EXAMPLE
.\uninstall.ps1 -WhatIf
.EXAMPLE
.\uninstall.ps1 -Files
#>
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [switch] $Files,
    [string] $Root = 'C:\llm'
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force

function Remove-Task {
    # Stops and unregisters one of ours.
    param([string] $Name)
    if ($null -eq (Get-ScheduledTask -TaskPath '\sluice\' -TaskName $Name -ErrorAction SilentlyContinue)) { return }
    if (-not $PSCmdlet.ShouldProcess($Name, 'unregister the scheduled task')) { return }
    Stop-ScheduledTask -TaskPath '\sluice\' -TaskName $Name
    Unregister-ScheduledTask -TaskPath '\sluice\' -TaskName $Name -Confirm:$false
}

function Remove-OwnRule {
    # The portproxy rule that refresh-portproxy.ps1 noted as its own, if it still stands.
    $memory = Join-Path (Join-Path $Root 'bin') 'portproxy.json'
    $text = Read-StateFile -Path $memory
    if ($null -eq $text) { return }
    $plan = Get-PortproxyPlan -Rules (Get-PortproxyRules) -Wanted $null -Remembered (ConvertFrom-JsonOrNull -Text $text)
    if (-not $PSCmdlet.ShouldProcess('portproxy', 'delete our rule')) { return }
    if ($null -ne $plan.Delete) {
        $done = Invoke-Native -File 'netsh.exe' -Arguments (Get-PortproxyArguments -Verb 'delete' -Rule $plan.Delete)
        if ($done.Code -ne 0) { throw "netsh: $($done.Lines -join ' ')" }
    }
    Remove-StateFile -Path $memory
}

function Remove-Firewall {
    # The rules of our names, Hyper-V's too where this Windows has them.
    param([string] $Name)
    if (-not $PSCmdlet.ShouldProcess($Name, 'remove the firewall rule')) { return }
    Get-NetFirewallRule -Name $Name -ErrorAction SilentlyContinue | Remove-NetFirewallRule
    if ($null -ne (Get-Command -Name 'Get-NetFirewallHyperVRule' -ErrorAction SilentlyContinue)) {
        Get-NetFirewallHyperVRule -Name $Name -ErrorAction SilentlyContinue | Remove-NetFirewallHyperVRule
    }
}

function Remove-UrlAcl {
    # What lets the user listen; only the one that we made.
    param($Settings)
    $prefix = Get-UrlPrefix -Port $Settings.modePort
    $shown = Invoke-Native -File 'netsh.exe' -Arguments @('http', 'show', 'urlacl', "url=$prefix")
    if ((Test-UrlAcl -Lines $shown.Lines -Prefix $prefix -Sddl (Get-UrlAclSddl -UserSid $Settings.userSid)) -ne 'right') { return }
    if (-not $PSCmdlet.ShouldProcess($prefix, 'remove the urlacl')) { return }
    $done = Invoke-Native -File 'netsh.exe' -Arguments @('http', 'delete', 'urlacl', "url=$prefix")
    if ($done.Code -ne 0) { throw "netsh: $($done.Lines -join ' ')" }
}

function Remove-Shortcut {
    # From the desktop of the user who runs this.
    param([string] $Name)
    $file = Join-Path ([Environment]::GetFolderPath('Desktop')) "$Name.lnk"
    if ((Test-Path -LiteralPath $file) -and $PSCmdlet.ShouldProcess($file, 'delete the shortcut')) {
        Remove-Item -LiteralPath $file
    }
}

try {
    $settings = Get-Settings -Root $Root
} catch {
    Write-Warning "$($_.Exception.Message) Going by the usual ports and this user."
    $sid = [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value
    $settings = Get-DefaultSettings -RouterAddress '192.168.1.10' -AdminUrl '' -UserSid $sid
}
foreach ($task in (Get-Tasks -Root $Root)) { Remove-Task -Name $task.Name }
Remove-OwnRule
foreach ($rule in (Get-FirewallRules -Settings $settings)) { Remove-Firewall -Name $rule.Name }
Remove-UrlAcl -Settings $settings
foreach ($shortcut in (Get-Shortcuts -Root $Root)) { Remove-Shortcut -Name $shortcut.Name }
if ($Files -and $PSCmdlet.ShouldProcess($Root, 'delete the folder')) {
    Remove-Item -LiteralPath $Root -Recurse -Force
}
if ($WhatIfPreference) { return }
Write-Output 'Taken away. On the router, take mode_url and the peer out of policy.yaml, or the gate stays unknown.'
