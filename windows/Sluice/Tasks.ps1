# The scheduled tasks, as data and as the XML that Windows takes. Pure.

function Get-Tasks {
    # What runs, and when. All of them as the user who is logged on: WSL does not work for SYSTEM, nor for a task that
    # runs whether somebody is logged on or not. Started anew every few minutes, which does nothing while one runs.
    [CmdletBinding()]
    param([string] $Root)
    return @(
        @{ Name = 'mode endpoint'; Script = "$Root\bin\mode-listener.ps1"; Highest = $false; Network = $false; Minutes = 1
            Description = 'Answers the router on port 18000 whether somebody plays.' }
        @{ Name = 'WSL'; Script = "$Root\bin\keep-wsl.ps1"; Highest = $false; Network = $false; Minutes = 5
            Description = 'Keeps the WSL distribution and vLLM in it running.' }
        @{ Name = 'portproxy'; Script = "$Root\bin\refresh-portproxy.ps1"; Highest = $true; Network = $true; Minutes = 5
            Description = 'Leads the port of vLLM to the present address of WSL.' }
    )
}

function ConvertTo-XmlText {
    # Text with what XML reserves escaped.
    [CmdletBinding()]
    param([AllowEmptyString()] [string] $Text)
    return [System.Security.SecurityElement]::Escape($Text)
}

function Get-TaskTriggers {
    # Every few minutes, at log-on of the user and, where asked for, when a network is connected (event 10000).
    [CmdletBinding()]
    param($Task, [string] $UserSid)
    $lines = @('  <Triggers>', '    <TimeTrigger>',
        '      <StartBoundary>2020-01-01T00:00:00</StartBoundary>',
        "      <Repetition><Interval>PT$($Task.Minutes)M</Interval><StopAtDurationEnd>false</StopAtDurationEnd></Repetition>", '    </TimeTrigger>',
        '    <LogonTrigger>', "      <UserId>$UserSid</UserId>", '    </LogonTrigger>')
    if ($Task.Network) {
        $channel = 'Microsoft-Windows-NetworkProfile/Operational'
        $query = "<QueryList><Query Id=`"0`" Path=`"$channel`"><Select Path=`"$channel`">*[System[EventID=10000]]</Select></Query></QueryList>"
        $lines += @('    <EventTrigger>', "      <Subscription>$(ConvertTo-XmlText -Text $query)</Subscription>", '    </EventTrigger>')
    }
    return $lines + @('  </Triggers>')
}

function Get-TaskSettings {
    # Against Windows' defaults: no end after 72 hours, on battery too, restarted when it fails, one at a time, and not
    # behind everything else (priority 7): the router waits half a second for its answer, also while a game runs.
    return @('  <Settings>', '    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>',
        '    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>', '    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>',
        '    <StartWhenAvailable>true</StartWhenAvailable>', '    <Priority>5</Priority>',
        '    <IdleSettings><StopOnIdleEnd>false</StopOnIdleEnd><RestartOnIdle>false</RestartOnIdle></IdleSettings>',
        '    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>',
        '    <RestartOnFailure><Interval>PT1M</Interval><Count>255</Count></RestartOnFailure>', '  </Settings>')
}

function Get-TaskXml {
    # The whole definition, for Register-ScheduledTask -Xml.
    [CmdletBinding()]
    param($Task, [string] $UserSid)
    $level = 'LeastPrivilege'
    if ($Task.Highest) { $level = 'HighestAvailable' }
    # Without a window: one that flashes up takes the focus from a game.
    $arguments = '--headless %SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + $Task.Script + '"'
    $lines = @('<?xml version="1.0" encoding="UTF-16"?>',
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
        "  <RegistrationInfo><Description>$(ConvertTo-XmlText -Text $Task.Description)</Description></RegistrationInfo>")
    $lines += Get-TaskTriggers -Task $Task -UserSid $UserSid
    $lines += @('  <Principals>', '    <Principal id="Author">', "      <UserId>$UserSid</UserId>",
        '      <LogonType>InteractiveToken</LogonType>', "      <RunLevel>$level</RunLevel>", '    </Principal>', '  </Principals>')
    $lines += Get-TaskSettings
    $lines += @('  <Actions Context="Author">', '    <Exec>', '      <Command>%SystemRoot%\System32\conhost.exe</Command>',
        "      <Arguments>$(ConvertTo-XmlText -Text $arguments)</Arguments>", '    </Exec>', '  </Actions>', '</Task>')
    return ($lines -join "`r`n")
}
