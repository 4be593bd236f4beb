<#
.SYNOPSIS
Makes this PC the one behind sluice's gate: mode endpoint, firewall, portproxy, WSL, two shortcuts.

.DESCRIPTION
Run it in a PowerShell as administrator, as the user who plays. It can be run again at any time: what is right stays, what
is not is put right, and what is not its own is not touched. With -WhatIf it only says what it would do.

.PARAMETER RouterAddress
The IPv4 address of the server that runs sluice. Only that machine may ask this PC.
.PARAMETER AdminUrl
sluice's admin listener; otherwise http://ROUTER:8081.
.PARAMETER TokenFile
A file with the token of admin.gate_token_file. It is copied; only administrators and you can read the copy.
.PARAMETER Distribution
The WSL distribution that vLLM runs in.
.PARAMETER Container
The name of vLLM's container in it.
.PARAMETER Root
The folder of the installation.
.PARAMETER UserName
The user who is logged on while models run; otherwise the one who runs this.

.EXAMPLE
.\install.ps1 -RouterAddress 192.168.1.10 -TokenFile .\gate-token.txt
.EXAMPLE
.\install.ps1 -RouterAddress 192.168.1.10 -WhatIf
#>
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [string] $RouterAddress,
    [string] $AdminUrl = '',
    [string] $TokenFile = '',
    [string] $Distribution = 'Ubuntu',
    [string] $Container = 'vllm-big',
    [string] $Root = 'C:\llm',
    [string] $UserName = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force

# This script runs from the unpacked folder, never from the installation: it would copy itself onto itself.
$source = $PSScriptRoot
$bin = "$Root\bin"

function Get-UserSid {
    # The SID of the user: the one who runs this, or another one who is named.
    if ($UserName -eq '') { return [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value }
    $account = New-Object System.Security.Principal.NTAccount($UserName)
    return $account.Translate([System.Security.Principal.SecurityIdentifier]).Value
}

function Invoke-Program {
    # Runs a program that has to succeed.
    param([string] $File, [string[]] $Arguments)
    $done = Invoke-Native -File $File -Arguments $Arguments
    if ($done.Code -ne 0) { throw "$File $($Arguments -join ' ') failed: $($done.Lines -join ' ')" }
}

function Install-Folder {
    # A folder with its rights.
    param($Folder)
    if (-not $PSCmdlet.ShouldProcess($Folder.Path, 'make the folder and set its rights')) { return }
    if (-not (Test-Path -LiteralPath $Folder.Path)) { New-Item -ItemType Directory -Path $Folder.Path | Out-Null }
    Invoke-Program -File 'icacls.exe' -Arguments (Get-AclArguments -Folder $Folder)
}

function Install-Files {
    # The scripts, the settings, the token.
    param($Settings)
    if ($PSCmdlet.ShouldProcess($bin, 'copy the scripts')) {
        Copy-Item -Path "$source\*.ps1" -Destination $bin -Force
        Copy-Item -Path "$source\Sluice" -Destination $bin -Recurse -Force
    }
    if ($PSCmdlet.ShouldProcess("$Root\settings.json", 'write the settings')) {
        Write-StateFile -Path "$Root\settings.json" -Text (Merge-Settings -Settings $Settings | ConvertTo-Json)
    }
    if ($TokenFile -ne '' -and $PSCmdlet.ShouldProcess("$Root\gate-token.txt", 'copy the token')) {
        $token = ([string](Read-StateFile -Path $TokenFile)).Trim()
        if ($token -eq '') { throw "$TokenFile is missing or empty" }
        Write-StateFile -Path "$Root\gate-token.txt" -Text $token
    }
}

function Merge-Settings {
    # What was changed by hand in settings.json stays; what is said on the command line goes before it.
    param($Settings)
    $text = Read-StateFile -Path "$Root\settings.json"
    if ($null -eq $text) { return $Settings }
    $old = ConvertFrom-JsonOrNull -Text $text
    if ($null -eq $old) { throw "$Root\settings.json is no JSON: mend it, or delete it to begin anew." }
    foreach ($property in $old.PSObject.Properties) {
        # An admin listener that was the former router's goes with it.
        if ($property.Name -eq 'admin' -and $property.Value -eq "http://$($old.router):8081") { continue }
        if ($Settings.ContainsKey($property.Name) -and $script:said -notcontains $property.Name) {
            $Settings[$property.Name] = $property.Value
        }
    }
    return $Settings
}

function Install-UrlAcl {
    # Lets the user listen without the rights of an administrator, on exactly this prefix.
    param($Settings)
    $prefix = Get-UrlPrefix -Port $Settings.modePort
    $sddl = Get-UrlAclSddl -UserSid $Settings.userSid
    $shown = Invoke-Native -File 'netsh.exe' -Arguments @('http', 'show', 'urlacl', "url=$prefix")
    $state = Test-UrlAcl -Lines $shown.Lines -Prefix $prefix -Sddl $sddl
    if ($state -eq 'other') { throw "$prefix is reserved for something else: $($shown.Lines -join ' ') Choose another modePort in settings.json." }
    if ($state -eq 'right' -or -not $PSCmdlet.ShouldProcess($prefix, 'allow this user to listen')) { return }
    if ($state -eq 'old') { Invoke-Program -File 'netsh.exe' -Arguments @('http', 'delete', 'urlacl', "url=$prefix") }
    Invoke-Program -File 'netsh.exe' -Arguments @('http', 'add', 'urlacl', "url=$prefix", "sddl=$sddl")
}

function Install-FirewallRule {
    # A rule of this name: made, or put right.
    param($Rule)
    if (-not $PSCmdlet.ShouldProcess($Rule.Name, "allow TCP $($Rule.LocalPort) from $($Rule.RemoteAddress)")) { return }
    $terms = @{ Direction = 'Inbound'; Action = 'Allow'; Enabled = 'True'; Profile = 'Any'; Protocol = 'TCP'
        LocalPort = $Rule.LocalPort; RemoteAddress = $Rule.RemoteAddress }
    if ($null -eq (Get-NetFirewallRule -Name $Rule.Name -ErrorAction SilentlyContinue)) {
        New-NetFirewallRule -Name $Rule.Name -DisplayName $Rule.DisplayName @terms | Out-Null
    } else {
        Set-NetFirewallRule -Name $Rule.Name @terms
    }
}

function Install-HyperVRule {
    # In mirrored networking WSL has a firewall of its own, which lets nothing in by default.
    param($Settings)
    $networking = Get-NetworkingMode -Distribution $Settings.distribution
    if ($networking -ne 'mirrored') { return }
    if (-not $PSCmdlet.ShouldProcess('sluice-vllm', 'let the router into mirrored WSL')) { return }
    Get-NetFirewallHyperVRule -Name 'sluice-vllm' -ErrorAction SilentlyContinue | Remove-NetFirewallHyperVRule
    New-NetFirewallHyperVRule -Name 'sluice-vllm' -DisplayName 'sluice: vLLM' -Direction Inbound -Action Allow -Protocol TCP `
        -VMCreatorId '{40E0AC32-46A5-438A-A0B2-2B479E8F2E90}' -LocalPorts ([string]$Settings.listenPort) `
        -RemoteAddresses $Settings.router | Out-Null
}

function Install-Helper {
    # portproxy is the work of this service.
    if (-not $PSCmdlet.ShouldProcess('iphlpsvc', 'start the service now and with Windows')) { return }
    Set-Service -Name 'iphlpsvc' -StartupType Automatic
    Start-Service -Name 'iphlpsvc'
}

function Install-Task {
    # A scheduled task of ours, put in place of the same of former times and started.
    param($Task, [string] $UserSid)
    if (-not $PSCmdlet.ShouldProcess($Task.Name, 'register and start the scheduled task')) { return }
    Register-ScheduledTask -TaskPath '\sluice\' -TaskName $Task.Name -Xml (Get-TaskXml -Task $Task -UserSid $UserSid) -Force | Out-Null
    # One that still ends would make the start do nothing.
    Stop-ScheduledTask -TaskPath '\sluice\' -TaskName $Task.Name
    Start-Sleep -Seconds 2
    Start-ScheduledTask -TaskPath '\sluice\' -TaskName $Task.Name
}

function Install-Shortcut {
    # On the desktop of the user who runs this.
    param($Shortcut)
    $file = Join-Path ([Environment]::GetFolderPath('Desktop')) "$($Shortcut.Name).lnk"
    if (-not $PSCmdlet.ShouldProcess($file, 'make the shortcut')) { return }
    $link = (New-Object -ComObject WScript.Shell).CreateShortcut($file)
    $link.TargetPath = 'powershell.exe'
    $link.Arguments = $Shortcut.Arguments
    $link.Description = $Shortcut.Description
    $link.Save()
}

$settings = Get-DefaultSettings -RouterAddress $RouterAddress -AdminUrl $AdminUrl -UserSid (Get-UserSid)
$settings.distribution = $Distribution
$settings.container = $Container
# What the command line says goes before what settings.json said.
$script:said = @('router', 'proxy', 'userSid')
$names = @{ AdminUrl = 'admin'; Distribution = 'distribution'; Container = 'container' }
foreach ($name in $names.Keys) { if ($PSBoundParameters.ContainsKey($name)) { $script:said += $names[$name] } }

$problem = Get-SettingsProblem -Settings $settings
if ($problem -ne '') { throw $problem }
if ($source -eq $bin) { throw 'run install.ps1 from the unpacked folder, not from the installation' }

foreach ($folder in (Get-Folders -Root $Root -UserSid $settings.userSid)) { Install-Folder -Folder $folder }
Install-Files -Settings $settings
if (Test-Path -LiteralPath "$Root\settings.json") { $settings = Get-Settings -Root $Root }
Install-UrlAcl -Settings $settings
foreach ($rule in (Get-FirewallRules -Settings $settings)) { Install-FirewallRule -Rule $rule }
Install-HyperVRule -Settings $settings
Install-Helper
foreach ($task in (Get-Tasks -Root $Root)) { Install-Task -Task $task -UserSid $settings.userSid }
foreach ($shortcut in (Get-Shortcuts -Root $Root)) { Install-Shortcut -Shortcut $shortcut }

if ($WhatIfPreference) { return }
if (-not (Test-Path -LiteralPath "$Root\gate-token.txt")) {
    Write-Warning "no token yet: put the router's gate token into $Root\gate-token.txt. Without it a mode takes up to a second to hold."
}
Write-Output "Installed in $Root. What is right and what is not: $bin\verify.ps1"
