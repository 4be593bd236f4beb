# What verify.ps1 makes of what it finds: each check is a name, whether it is well, what was found, how to mend it. Pure.

function New-Check {
    # One line of the report. Level: ok, bad, or look (nothing is broken, somebody should know).
    [CmdletBinding()]
    param([string] $Name, [string] $Level, [string] $Found, [string] $Mend)
    if ($Level -eq 'ok') { $Mend = '' }
    return @{ Name = $Name; Level = $Level; Found = $Found; Mend = $Mend }
}

function ConvertFrom-PowerSetting {
    # Seconds on mains of a `powercfg /query` of one setting: its last two hexadecimal numbers are mains and battery,
    # in whatever language. -1 where there are none.
    [CmdletBinding()]
    param([AllowNull()] $Lines)
    $found = @([regex]::Matches((@($Lines) -join "`n"), '0x([0-9a-fA-F]{8})') | ForEach-Object { $_.Groups[1].Value })
    if ($found.Count -lt 2) { return -1 }
    return [System.Convert]::ToInt32($found[$found.Count - 2], 16)
}

function Get-SleepCheck {
    # A PC that sleeps is a gate that is unknown: nothing breaks, and the big model is gone.
    [CmdletBinding()]
    param([string] $Name, [int] $Seconds)
    if ($Seconds -lt 0) {
        return New-Check -Name $Name -Level 'look' -Found 'powercfg does not say' -Mend 'Look in Settings, System, Power.'
    }
    if ($Seconds -eq 0) { return New-Check -Name $Name -Level 'ok' -Found 'never' }
    $setting = 'standby-timeout-ac'
    if ($Name -eq 'hibernation') { $setting = 'hibernate-timeout-ac' }
    return New-Check -Name $Name -Level 'look' -Found "after $([int]($Seconds / 60)) minutes" -Mend `
        "Asleep, the PC answers nobody and the small model does the work. For an evening server: powercfg /change $setting 0"
}

function Get-EndpointCheck {
    # Whether the endpoint says what the files say.
    [CmdletBinding()]
    param([int] $Status, [AllowEmptyString()] [string] $Body, $Expected)
    if ($Status -eq 0) {
        return New-Check -Name 'mode endpoint' -Level 'bad' -Found "no answer: $Body" -Mend `
            'Start the task: Start-ScheduledTask -TaskPath \sluice\ -TaskName "mode endpoint"; then see logs\mode-listener.log.'
    }
    if ($Status -ne [int]$Expected.Status -or $Body -cne [string]$Expected.Body) {
        return New-Check -Name 'mode endpoint' -Level 'bad' -Found "$Status $Body" -Mend `
            "The files say $($Expected.Status) $($Expected.Body). Does another program listen there? Restart the task."
    }
    if ($Status -ne 200) {
        return New-Check -Name 'mode endpoint' -Level 'bad' -Found "$Status $Body" -Mend 'Write the mode anew: set-mode.ps1 NORMAL'
    }
    return New-Check -Name 'mode endpoint' -Level 'ok' -Found $Body
}

function Get-FirewallCheck {
    # Whether a rule is there, on, and for the router alone.
    [CmdletBinding()]
    param($Wanted, [AllowNull()] $Found)
    $mend = 'Run install.ps1 again.'
    if ($null -eq $Found) { return New-Check -Name "firewall $($Wanted.Name)" -Level 'bad' -Found 'missing' -Mend $mend }
    $is = "port $($Found.LocalPort) from $($Found.RemoteAddress), enabled: $($Found.Enabled)"
    $right = ([string]$Found.LocalPort -eq $Wanted.LocalPort -and [string]$Found.RemoteAddress -eq $Wanted.RemoteAddress -and
        [string]$Found.Enabled -eq 'True' -and [string]$Found.Action -eq 'Allow')
    if ($right) { return New-Check -Name "firewall $($Wanted.Name)" -Level 'ok' -Found $is }
    return New-Check -Name "firewall $($Wanted.Name)" -Level 'bad' -Found $is -Mend $mend
}

function Get-TaskCheck {
    # A task that lasts must be running; the portproxy's comes and goes, and its last result counts.
    # 0x41301 is "running", 0x41303 "has not run yet".
    [CmdletBinding()]
    param([string] $Name, [bool] $Lasts, [AllowNull()] $State, [long] $LastResult)
    $mend = "Start-ScheduledTask -TaskPath \sluice\ -TaskName `"$Name`"; where it is missing, run install.ps1 again."
    if ($null -eq $State) { return New-Check -Name "task $Name" -Level 'bad' -Found 'missing' -Mend $mend }
    if ([string]$State -eq 'Disabled') { return New-Check -Name "task $Name" -Level 'bad' -Found 'disabled' -Mend $mend }
    if ([string]$State -eq 'Running') { return New-Check -Name "task $Name" -Level 'ok' -Found 'running' }
    $found = "$State, last result $LastResult"
    if ($Lasts -or ($LastResult -ne 0 -and $LastResult -ne 267009 -and $LastResult -ne 267011)) {
        return New-Check -Name "task $Name" -Level 'bad' -Found $found -Mend $mend
    }
    return New-Check -Name "task $Name" -Level 'ok' -Found $found
}

function Get-PortproxyCheck {
    # Whether the port of vLLM leads to WSL. In mirrored networking there is no portproxy.
    [CmdletBinding()]
    param([string] $Networking, [AllowNull()] $Rules, [AllowNull()] $Wanted)
    if ($Networking -eq 'mirrored') {
        return New-Check -Name 'portproxy' -Level 'ok' -Found "none is needed: WSL's networking is mirrored"
    }
    if ($Networking -ne 'nat') {
        return New-Check -Name 'portproxy' -Level 'look' -Found "WSL's networking is $Networking" -Mend 'These scripts know nat and mirrored. Set one of them in .wslconfig.'
    }
    if ($null -eq $Wanted) {
        return New-Check -Name 'portproxy' -Level 'bad' -Found 'WSL has no address' -Mend 'Start the task "WSL", then refresh-portproxy.ps1 as administrator.'
    }
    $is = 'no rule'
    foreach ($rule in @($Rules)) {
        if ($null -eq $rule) { continue }
        if (Test-SameRule -One $rule -Other $Wanted) {
            return New-Check -Name 'portproxy' -Level 'ok' -Found "$($rule.ListenAddress):$($rule.ListenPort) to $($rule.ConnectAddress):$($rule.ConnectPort)"
        }
        if (Test-SameListener -Rule $rule -Wanted $Wanted) { $is = "$($rule.ListenAddress):$($rule.ListenPort) leads to $($rule.ConnectAddress):$($rule.ConnectPort)" }
    }
    return New-Check -Name 'portproxy' -Level 'bad' -Found $is -Mend "It has to lead to $($Wanted.ConnectAddress):$($Wanted.ConnectPort). Run refresh-portproxy.ps1 as administrator; it says what is in its way."
}

function Get-DevelopmentCheck {
    # vLLM's development endpoints can put the model to sleep and load code: nobody in the LAN may reach them.
    [CmdletBinding()]
    param([int] $Status)
    if ($Status -eq 404) { return New-Check -Name 'development endpoints' -Level 'ok' -Found 'not forwarded' }
    if ($Status -eq 0) {
        return New-Check -Name 'development endpoints' -Level 'look' -Found 'nothing answers there' -Mend 'Look at the checks of vLLM and portproxy.'
    }
    return New-Check -Name 'development endpoints' -Level 'bad' -Found "/is_sleeping answers $Status from the LAN" -Mend `
        'Put the door of vllm/ (nginx) in front of vLLM: vLLM on 127.0.0.1:8001 of WSL, the door on 8000.'
}

function Get-RouterCheck {
    # What sluice says of the model, from its /v1/models/NAME.
    [CmdletBinding()]
    param([int] $Status, [AllowNull()] $Entry, [string] $Mode)
    if ($Status -eq 0) {
        return New-Check -Name 'router' -Level 'bad' -Found 'sluice does not answer' -Mend 'Is the server on? Is "proxy" in settings.json right? There: systemctl status sluice'
    }
    if ($Status -eq 401) {
        return New-Check -Name 'router' -Level 'look' -Found 'sluice asks for a client key' -Mend 'Look there: sluice status'
    }
    if ($Status -ne 200 -or $null -eq $Entry) {
        return New-Check -Name 'router' -Level 'bad' -Found "sluice answers $Status" -Mend 'Is "model" in settings.json a name of policy.yaml?'
    }
    $found = "$($Entry.backend): available $($Entry.available), $($Entry.reason)"
    $closed = ($Mode -eq 'GAMING' -and @('gate_closed', 'asleep') -contains [string]$Entry.reason)
    if ($Entry.available -or $closed) { return New-Check -Name 'router' -Level 'ok' -Found $found }
    return New-Check -Name 'router' -Level 'bad' -Found $found -Mend 'docs/gaming.md says what each reason means and what to look at first.'
}
